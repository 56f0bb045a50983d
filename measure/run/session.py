"""One run, from adding its plan to the cluster to reading its last sample."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Event
from typing import Protocol

from measure.analysis.recording import Recording
from measure.failures import (
    ApiStatusError,
    ApiUnreachableError,
    InterruptedRunError,
    MeasureError,
    NotServingError,
    TimedOutError,
)
from measure.run.agent import AgentStatus, RunStatus
from measure.run.ownership import put_run, remove_run
from measure.run.stack import StackClient

POLL = 0.5
"""Seconds between two polls of the agent."""
SILENCE = 15.0
"""Seconds without samples or a response after which a run is lost; a request's own timeout is 10."""
_DRAIN = 5.0  # seconds for the agent to end a run that was removed


def _discard(_lines: bytes, _trace: str) -> None:
    """Keep nothing."""


class View(Protocol):
    """Display of a run in progress."""

    def show(self, recording: Recording, note: str) -> None:
        """Show a run; called at every poll.

        Args:
            recording: The run so far.
            note: What it waits for, empty while it proceeds.
        """


class Session:
    """One run with an id.

    Attributes:
        status: The agent's latest status.
        warning: What went wrong while cleaning up, in words.
    """

    def __init__(
        self,
        stack: StackClient,
        recording: Recording,
        *,
        view: View,
        stop: Event,
        timeout: float,
        started: Callable[[float], None] = lambda _: None,
    ) -> None:
        """Prepare a run.

        Args:
            stack: Client of the stack.
            recording: The empty recording of a plan with an id; filled during the run.
            view: Display of the run.
            stop: Ends the run when set.
            timeout: Seconds within which the run must start.
            started: Called once it has started, with the Unix time of its start; its errors end the run.
        """
        self._started = started
        self.status: AgentStatus | None = None
        self.warning = ""
        self._stack = stack
        self._recording = recording
        self._id = recording.plan.run
        self._view = view
        self._stop = stop
        self._timeout = timeout
        self._offset: int | None = None  # of the next sample to read; None before the start
        self._instance = ""  # of the agent that started the run

    def start(self) -> None:
        """Wait until the stack serves, and add the run to the cluster.

        Raises:
            WrongUsageError: Another run is in force.
            NotServingError: The tiers or the load agent don't respond.
            TimedOutError: The API server is unreachable.
            InterruptedRunError: Stopped while waiting.
        """
        deadline = time.monotonic() + self._timeout
        while (reason := self._unready()) is not None:
            if time.monotonic() > deadline:
                raise reason
            self._show(str(reason))
            if self._stop.wait(POLL):
                raise InterruptedRunError("Interrupted before anything was started.")
        put_run(self._stack, self._recording.plan)

    def _unready(self) -> MeasureError | None:
        """Return why the stack doesn't serve, None if it does."""
        try:
            run = self._stack.status().run
        except (ApiUnreachableError, ApiStatusError) as error:
            return error
        if run is not None and run.state not in ("waiting", "failed"):
            return None
        problem = run.problem if run else "the load generator has no plan yet"
        return NotServingError(f"The stack doesn't serve: {problem or 'the load generator is waiting'}.")

    def follow(self, keep: Callable[[bytes, str], None]) -> MeasureError | None:
        """Read the run's samples to its end, and remove the run from the cluster.

        Args:
            keep: Receives each piece of samples, whole lines, and the first half of their trace ids.

        Returns:
            Why the run ended early; None if it ran to its end, or to the step that failed.
        """
        self._keep = keep
        try:
            self._follow()
        except MeasureError as error:
            return error
        else:
            return None
        finally:
            self._clean_up()

    def _follow(self) -> None:
        responded = received = time.monotonic()  # the latest response, the latest samples
        deadline = responded + self._timeout
        while not self._stop.wait(POLL):
            started = self._offset is not None
            try:
                run, new_samples = self._poll()
            except (ApiUnreachableError, ApiStatusError) as error:
                if time.monotonic() - responded > SILENCE:
                    raise TimedOutError(f"No response about the run for {SILENCE:.0f} s. {error}") from None
                self._show(str(error))
                continue
            now = time.monotonic()
            if run is not None and run.state != "waiting":
                responded = now
                received = now if new_samples or not started else received
                if self._ended(run):
                    return
                if now - received > SILENCE:
                    raise TimedOutError(f"No samples for {SILENCE:.0f} s.")
            elif self._offset is None:
                self._await_start(run, late=now > deadline)
                responded = now
            elif now - responded > SILENCE:
                raise TimedOutError("The load generator no longer knows the run.")
        raise InterruptedRunError("Interrupted.")

    def _poll(self) -> tuple[RunStatus | None, bool]:
        """Read the run's status and its new samples; return the status and whether there were samples."""
        self.status = status = self._stack.status()
        if self._offset is None:
            self._instance = status.instance
        elif status.instance != self._instance:
            raise NotServingError("The load generator restarted during the run. Was its virtual machine replaced?")
        run = status.find(self._id)
        new_samples = False
        if run is not None and run.first is not None and run.state != "waiting":
            if self._recording.started is None and run.started is not None:
                self._started(run.started)  # if it fails, the next poll repeats it
            self._recording.started, self._recording.trace = run.started, run.trace
            if run.in_force and status.elapsed is not None:
                self._recording.elapsed = status.elapsed
            # While the run is in force, all samples up to this status are its own; later ones may not be.
            end = status.samples.next if run.next is None else run.next
            new_samples = self._read(run.first if self._offset is None else self._offset, end, run.trace)
            self._show("")
        return run, new_samples

    def _read(self, start: int, end: int, trace: str) -> bool:
        self._offset = start
        while self._offset < end and (lines := self._stack.samples(self._offset)[: end - self._offset]):
            self._recording.buffer.append(lines)
            # After an error, such as a full disk, the rest is read to its end but no longer kept.
            keep, self._keep = self._keep, _discard
            keep(lines, trace)
            self._keep = keep
            self._offset += len(lines)
        return self._offset > start

    def _ended(self, run: RunStatus) -> bool:
        steps, ended = self._recording.steps, run.next is not None
        if steps is not None:
            steps.judge(self._recording.samples, self._recording.elapsed, ended=ended)
            if steps.failed:
                return True
        if run.state == "failed":
            raise NotServingError(f"The load generator failed: {run.problem}.")
        if run.state == "stopped" and ended:
            raise InterruptedRunError("The run was stopped by another client.")
        return ended

    def _await_start(self, run: RunStatus | None, *, late: bool) -> None:
        problem = run.problem if run else self.status.problem if self.status else ""
        self._show(f"waiting: {problem}" if problem else "waiting for the load generator")
        if late and problem:
            raise NotServingError(f"The stack doesn't serve: {problem}.")
        if late:
            raise TimedOutError(f"The run did not start within {self._timeout:g} s (--timeout).")

    def _clean_up(self) -> None:
        """Remove the run from the cluster and read its remaining samples."""
        deadline = time.monotonic() + _DRAIN
        try:
            remove_run(self._stack, self._id)
            same = self.status is not None and self.status.instance == self._instance
            run = self.status.find(self._id) if self.status and same else None
            while run is not None and self._offset is not None and (run.next is None or self._offset < run.next):
                if time.monotonic() > deadline:
                    break
                run, _ = self._poll()
                time.sleep(POLL / 5)
        except MeasureError as error:
            self.warning = f"The run could not be removed from the cluster and read to its end: {error}"

    def _show(self, note: str) -> None:
        self._view.show(self._recording, note)
