"""One run, from putting its plan into the cluster to its last sample."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Event
from typing import Protocol

from cloudinit.load_plan import LoadPlan, Profile
from measure.analysis.samples import Recording, Samples
from measure.analysis.steps import Stairs
from measure.failures import (
    ApiAwayError,
    InterruptedRunError,
    MeasureError,
    NotServingError,
    RefusedError,
    TimedOutError,
)
from measure.run.agent import AgentStatus, RunStatus
from measure.run.cluster import Cluster
from measure.run.ownership import put_run, remove_run

POLL = 0.5
"""Seconds between two looks at the agent."""
SILENCE = 15.0
"""Seconds without samples, or without an answer, after which a run is lost; a request's own time-out is 10."""
_DRAIN = 5.0  # seconds for the agent to end a run that was taken out


@dataclass(slots=True)
class Progress:
    """How far a run is.

    Attributes:
        plan: what is asked for.
        note: what is being waited for, in words; empty while it runs.
        elapsed: seconds since its first arrival, by the generator's clock.
        recording: its samples.
        stairs: of a stress run.
        status: the agent's newest answer.
        run: the run in it.
        warning: what went wrong at the end, in words.
    """

    plan: LoadPlan
    note: str = ""
    elapsed: float = 0.0
    recording: Recording = field(default_factory=Recording)
    stairs: Stairs | None = None
    status: AgentStatus | None = None
    run: RunStatus | None = None
    warning: str = ""

    @property
    def samples(self) -> Samples:
        """What has come so far."""
        return self.recording.samples


class View(Protocol):
    """Whoever shows a run while it goes on."""

    def show(self, progress: Progress) -> None:
        """Show how far it is; called at every poll."""


class Session:
    """One run of a plan with an id."""

    def __init__(
        self,
        cluster: Cluster,
        progress: Progress,
        *,
        view: View,
        stop: Event,
        timeout: float,
    ) -> None:
        """Prepare.

        Args:
            cluster: the stack.
            progress: of a plan with an id; filled while the run goes on.
            view: who is told.
            stop: ends the run when set.
            timeout: seconds within which the run must begin.
        """
        self._cluster = cluster
        self._progress = progress
        self._id = progress.plan.run
        self._view = view
        self._stop = stop
        self._timeout = timeout
        self._offset: int | None = None

    def begin(self) -> None:
        """Put the run into the cluster.

        Raises:
            WrongUsageError: another run is in force.
            NotServingError: the chain doesn't answer, or nobody would do the run.
            TimedOutError: the API server is away.
            InterruptedRunError: stopped while waiting.
        """
        self._await_serving()
        put_run(self._cluster, self._progress.plan)

    def follow(self, keep: Callable[[bytes, str], None]) -> MeasureError | None:
        """Read the run's samples to its end, and take the run out of the cluster.

        Args:
            keep: takes each piece of samples, whole lines, and the high half of their trace ids.

        Returns:
            Why it ended early, None if it ran to its end or to the stair that broke.
        """
        self._keep = keep
        try:
            self._follow()
        except MeasureError as error:
            return error
        else:
            return None
        finally:
            self._end()

    def _await_serving(self) -> None:
        deadline = time.monotonic() + self._timeout
        while True:
            try:
                status = self._cluster.status()
                if status.run is not None and status.run.state not in ("waiting", "failed"):
                    return
                problem = status.run.problem if status.run else "it has no plan yet"
                reason: MeasureError = NotServingError(f"The stack doesn't serve: {problem or 'its load waits'}.")
            except (ApiAwayError, RefusedError) as error:
                reason = error
            if time.monotonic() > deadline:
                raise reason
            self._say(str(reason))
            if self._stop.wait(POLL):
                raise InterruptedRunError("Interrupted before anything was started.")

    def _follow(self) -> None:
        heard = came = time.monotonic()
        deadline = heard + self._timeout
        while not self._stop.wait(POLL):
            begun = self._offset is not None
            try:
                run, news = self._look()
            except (ApiAwayError, RefusedError) as error:
                if time.monotonic() - heard > SILENCE:
                    raise TimedOutError(f"Nothing heard of the run for {SILENCE:.0f} s. {error}") from None
                self._say(str(error))
                continue
            now = time.monotonic()
            if run is not None and run.state != "waiting":
                heard = now
                came = now if news or not begun else came
                if self._over(run):
                    return
                if now - came > SILENCE:
                    raise TimedOutError(f"No sample came for {SILENCE:.0f} s: {self._progress.plan.rps}/s was asked.")
            elif self._offset is None:
                self._not_begun(run, late=now > deadline)
                heard = now
            elif now - heard > SILENCE:
                raise TimedOutError("The load generator no longer knows the run: was its machine restarted?")
        raise InterruptedRunError("Interrupted.")

    def _look(self) -> tuple[RunStatus | None, bool]:
        """Ask for the run's state and read its new samples; whether there were any."""
        status = self._cluster.status()
        run = status.find(self._id)
        self._progress.status = status
        news = False
        if run is not None and run.first is not None and run.state != "waiting":
            self._progress.run = run
            self._offset = run.first if self._offset is None else self._offset
            if run.started is not None and run.in_force:
                self._progress.elapsed = max(0.0, status.time - run.started)
            # Of a run that goes on, all that stood there when it was asked is its own; what comes behind may not be.
            news = self._read(run, status.samples.next if run.next is None else run.next)
            self._say("")
        return run, news

    def _read(self, run: RunStatus, end: int) -> bool:
        begin = self._offset or 0
        while (offset := self._offset or 0) < end:
            lines = self._cluster.samples(offset)[: end - offset]
            if not lines:
                break
            self._progress.recording.append(lines)
            self._keep(lines, run.trace)
            self._offset = offset + len(lines)
        return (self._offset or 0) > begin

    def _over(self, run: RunStatus) -> bool:
        stairs, ended = self._progress.stairs, run.next is not None
        if stairs is not None:
            stairs.judge(self._progress.samples, self._progress.elapsed, ended=ended)
            if stairs.broken:
                return True
        if run.state == "failed":
            raise NotServingError(f"The load generator failed: {run.problem}.")
        if run.state == "stopped" and ended:
            raise InterruptedRunError("Somebody else stopped the run.")
        return ended

    def _not_begun(self, run: RunStatus | None, *, late: bool) -> None:
        problem = run.problem if run else self._progress.status.problem if self._progress.status else ""
        self._say(f"waiting: {problem}" if problem else "waiting for the load generator")
        if late and problem:
            raise NotServingError(f"The stack doesn't serve: {problem}.")
        if late:
            raise TimedOutError(f"The run did not begin within {self._timeout:g} s (--timeout).")

    def _end(self) -> None:
        """Take the run out of the cluster and read what is left of it."""
        deadline = time.monotonic() + _DRAIN
        try:
            remove_run(self._cluster, self._id)
            ended = self._progress.run
            while self._offset is not None and (ended is None or ended.next is None or self._offset < ended.next):
                if time.monotonic() > deadline:
                    break
                ended, _ = self._look()
                time.sleep(POLL / 5)
        except MeasureError as error:
            self._progress.warning = f"The run could not be taken out of the cluster and read to its end: {error}"

    def _say(self, note: str) -> None:
        self._progress.note = note
        self._view.show(self._progress)


def new_progress(plan: LoadPlan, gates: dict[str, float]) -> Progress:
    """Return the progress of a run that has not begun."""
    return Progress(plan, stairs=Stairs(plan, gates) if plan.profile is Profile.STRESS else None)
