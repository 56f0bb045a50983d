"""The controller: makes what runs match the desired plans."""

import logging
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

from ..load_plan import LoadPlan
from .desired_plans import DesiredPlans
from .run import Run, RunStore, State
from .sample_log import SampleLog

PROBE_INTERVAL = 0.5  # seconds
FIRST_BACKOFF = 1.0  # seconds before k6 is restarted after a failure; doubles with each failure
LONGEST_BACKOFF = 30.0
STABLE = 60.0  # seconds of running after which the backoff is reset
OVERDUE = 20.0  # seconds after a run's end; k6 itself exits within 12
STARTUP = 300.0  # seconds for k6 to start; ten thousand virtual users take about 20
START_WITHIN = 60.0  # seconds after a run was added in which an agent that hasn't seen it yet takes it

log = logging.getLogger(__name__)


class Process(Protocol):
    """A running generator.

    Attributes:
        started: Unix time of the plan's start; None until it is known.
        message: Its first message.
    """

    started: float | None
    message: str

    @property
    def exit_code(self) -> int | None:
        """Its exit code; None while it runs."""

    @property
    def age(self) -> float:
        """Seconds since it was started."""

    @property
    def elapsed(self) -> float | None:
        """Monotonic seconds since the plan's start; None until that is known."""

    def stop(self) -> None:
        """Stop it."""


@dataclass(frozen=True, slots=True)
class Dependencies:
    """What the controller acts through.

    Attributes:
        start: Starts a generator for a run; raises OSError if it can't.
        probe: Returns why the tiers don't respond; an empty string when they do.
        clock: Monotonic seconds.
    """

    start: Callable[[Run], Process]
    probe: Callable[[], str]
    clock: Callable[[], float] = time.monotonic


class Controller:
    """Makes what runs match the desired plans, one `reconcile` at a time."""

    def __init__(self, plans: DesiredPlans, runs: RunStore, samples: SampleLog, dependencies: Dependencies) -> None:
        self._plans = plans
        self._runs = runs
        self._samples = samples
        self._dependencies = dependencies
        self._process: Process | None = None
        self._not_before = 0.0
        self._backoff = FIRST_BACKOFF

    def reconcile(self) -> None:
        """Compare what runs with the desired plans once, and act on the difference."""
        self._expire()
        desired, run = self._desired(), self._runs.current
        if run and not (desired and _is_same(desired, run.plan)):
            self._end(State.STOPPED)
            self._not_before = 0.0  # another plan may succeed where this one failed
            run = None
        if not run and desired:
            run = _new_run(desired, self._samples.next)
            self._runs.put(run)
        if run and self._process:
            self._observe(run, self._process)
        elif run and self._dependencies.clock() >= self._not_before:
            self._start(run)

    @property
    def elapsed(self) -> float | None:
        """Monotonic seconds since the current run's start; None while none runs."""
        process, run = self._process, self._runs.current
        return process.elapsed if process and run and run.state is State.RUNNING else None

    def close(self) -> None:
        """Stop what runs."""
        if self._runs.current:
            self._end(State.STOPPED, "the load generator was stopped")

    def _desired(self) -> LoadPlan | None:
        return self._pending() or self._plans.stack

    def _pending(self) -> LoadPlan | None:
        """Return the run to do, unless it is over."""
        run, last = self._plans.run, self._runs.last
        return None if run and last and last.plan.run == run.run else run

    def _expire(self) -> None:
        """End a run that is too old to start: its client no longer waits for it."""
        asked, current = self._pending(), self._runs.current
        if not self._plans.stack:
            return  # nothing has been read yet
        lost, self._runs.lost = self._runs.lost, False
        if not asked:
            return
        known = current is not None and current.plan.run == asked.run
        if known and current and current.state is State.RUNNING:
            return
        age = self._dependencies.clock() - self._plans.added
        limit = START_WITHIN + (asked.seconds if known else 0)
        if lost and not known:
            problem = "the record of earlier runs was unreadable: this run may have been one of them"
        elif age > limit:
            problem = f"it was added {age:.0f} s ago, and is not started later than {limit:.0f} s after that"
        else:
            return
        log.warning("%s: %s", asked.run, problem)
        if known:
            self._end(State.FAILED, problem)
            self._not_before = 0.0
        else:
            new = _new_run(asked, self._samples.next)
            self._runs.refuse(replace(new, state=State.FAILED, problem=problem, next=new.first))

    def _start(self, run: Run) -> None:
        if run.state is State.FAILED:
            run = _new_run(run.plan, self._samples.next)
        problem = self._dependencies.probe()
        if problem != run.problem and problem:
            log.info("waiting for the tiers: %s", problem)
        self._runs.put(replace(run, state=State.WAITING, problem=problem))
        if problem:
            self._not_before = self._dependencies.clock() + PROBE_INTERVAL
            return
        try:
            self._process = self._dependencies.start(run)
        except OSError as error:
            self._fail(run, f"k6 could not be started: {error}")

    def _observe(self, run: Run, process: Process) -> None:
        code = process.exit_code
        if run.state is State.WAITING and process.started:
            run = replace(run, state=State.RUNNING, started=process.started, problem="")
            self._runs.put(run)
            log.info("%s: %s", run.plan.run or "the stack's plan", run.plan)
        if process.age > STABLE:
            self._backoff = FIRST_BACKOFF
        if code is None:
            problem = _overdue(run, process)
            if problem:
                process.stop()
                self._process = None
                self._fail(run, problem)
        elif code == 0 and run.once:
            self._process = None
            self._end(State.FINISHED)
        else:
            self._process = None
            end = f"was killed by signal {-code}" if code < 0 else f"exited with {code}"
            self._fail(run, f"k6 {end}: {process.message or 'it printed no message'}")

    def _fail(self, run: Run, problem: str) -> None:
        """End a run with an id; retry the stack's plan after a backoff."""
        log.warning("%s", problem)
        self._not_before = self._dependencies.clock() + self._backoff
        self._backoff = min(2 * self._backoff, LONGEST_BACKOFF)
        if run.once:
            self._end(State.FAILED, problem)
        else:
            self._runs.put(replace(run, state=State.FAILED, problem=problem, next=self._samples.next))

    def _end(self, state: State, problem: str = "") -> None:
        if self._process:
            self._process.stop()
            self._process = None
        run = self._runs.current
        if run:
            self._runs.put(replace(run, state=state, problem=problem, next=self._samples.next))
            if run.once:
                log.info("%s: %s", run.plan.run, f"{state}, {problem}" if problem else state)
        self._runs.end()


def _new_run(plan: LoadPlan, first: int) -> Run:
    return Run(plan=plan, state=State.WAITING, trace=secrets.token_hex(8), first=first)


def _overdue(run: Run, process: Process) -> str:
    """Return what a process should have done by now; an empty string if nothing."""
    if process.elapsed is None:
        return f"k6 did not start within {STARTUP:.0f} s" if process.age > STARTUP else ""
    if run.once and process.elapsed > run.plan.seconds + OVERDUE:
        return "k6 did not exit after the last request"
    return ""


def _is_same(desired: LoadPlan, present: LoadPlan) -> bool:
    """Return whether a plan is the one that runs: a run is identified by its id, the stack's plan by its content."""
    return desired.run == present.run if desired.run or present.run else desired == present
