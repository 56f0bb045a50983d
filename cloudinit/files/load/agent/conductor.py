"""What is done when: which plan is in force, and how far it is."""

import logging
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

from ..load_plan import LoadPlan
from .plans import Plans
from .run import Record, Run, State
from .sample_log import SampleLog

CHAIN_INTERVAL = 0.5  # seconds between questions whether the tiers answer
FIRST_PAUSE = 1.0  # seconds before k6 is started again after it failed; then twice that, and so on
LONGEST_PAUSE = 30.0
STABLE = 60.0  # seconds after which a failure is a new one and no repetition
OVERDUE = 20.0  # seconds after a run's end; k6 itself ends after 12

log = logging.getLogger(__name__)


class Process(Protocol):
    """A running generator."""

    started: float | None
    words: str

    @property
    def code(self) -> int | None:
        """What it ended with."""

    @property
    def seconds(self) -> float:
        """How long ago it was started."""

    def stop(self) -> None:
        """End it."""


@dataclass(frozen=True, slots=True)
class Tools:
    """What the conductor works with.

    Attributes:
        start: Starts a generator for a run; raises OSError when that is impossible.
        chain: Says why the tiers don't answer, or nothing.
        clock: Seconds, monotonic.
    """

    start: Callable[[Run], Process]
    chain: Callable[[], str]
    clock: Callable[[], float] = time.monotonic


class Conductor:
    """Brings about what the plans ask for, a step at a time."""

    def __init__(self, plans: Plans, record: Record, samples: SampleLog, tools: Tools) -> None:
        self._plans = plans
        self._record = record
        self._samples = samples
        self._tools = tools
        self._process: Process | None = None
        self._not_before = 0.0
        self._pause = FIRST_PAUSE

    def step(self) -> None:
        """Look at everything once, and do what there is to do."""
        wanted, run = self._wanted(), self._record.current
        if run and not (wanted and _is_same(wanted, run.plan)):
            self._end(State.STOPPED)
            self._not_before = 0.0  # what failed before may go well with another plan
            run = None
        if not run and wanted:
            run = _begun(wanted, self._samples.next)
            self._record.put(run)
        if run and self._process:
            self._look_after(run, self._process)
        elif run and self._tools.clock() >= self._not_before:
            self._start(run)

    def close(self) -> None:
        """End what is being done."""
        if self._record.current:
            self._end(State.STOPPED, "the load generator was stopped")

    def _wanted(self) -> LoadPlan | None:
        run, last = self._plans.run, self._record.last
        if run and not (last and last.plan.run == run.run):
            return run
        return self._plans.stack

    def _start(self, run: Run) -> None:
        if run.state is State.FAILED:
            run = _begun(run.plan, self._samples.next)
        problem = self._tools.chain()
        if problem != run.problem and problem:
            log.info("waiting: %s", problem)
        self._record.put(replace(run, state=State.WAITING, problem=problem))
        if problem:
            self._not_before = self._tools.clock() + CHAIN_INTERVAL
            return
        try:
            self._process = self._tools.start(run)
        except OSError as error:
            self._fail(run, f"k6 can't be started: {error}")

    def _look_after(self, run: Run, process: Process) -> None:
        code = process.code
        if run.state is State.WAITING and process.started:
            run = replace(run, state=State.RUNNING, started=process.started, problem="")
            self._record.put(run)
            log.info("%s: %s", run.plan.run or "the stack's plan", run.plan)
        if process.seconds > STABLE:
            self._pause = FIRST_PAUSE
        if code is None:
            if run.once and process.seconds > run.plan.seconds + OVERDUE:
                process.stop()
                self._process = None
                self._fail(run, "k6 didn't end after the last request")
        elif code == 0 and run.once:
            self._process = None
            self._end(State.FINISHED)
        else:
            self._process = None
            end = f"was ended by signal {-code}" if code < 0 else f"ended with {code}"
            self._fail(run, f"k6 {end}: {process.words or 'it said nothing'}")

    def _fail(self, run: Run, problem: str) -> None:
        """A run with an id is over; the stack's plan is tried again after a pause."""
        log.warning("%s", problem)
        self._not_before = self._tools.clock() + self._pause
        self._pause = min(2 * self._pause, LONGEST_PAUSE)
        if run.once:
            self._end(State.FAILED, problem)
        else:
            self._record.put(replace(run, state=State.FAILED, problem=problem, next=self._samples.next))

    def _end(self, state: State, problem: str = "") -> None:
        if self._process:
            self._process.stop()
            self._process = None
        run = self._record.current
        if run:
            self._record.put(replace(run, state=state, problem=problem, next=self._samples.next))
            if run.once:
                log.info("%s: %s", run.plan.run, f"{state}, {problem}" if problem else state)
        self._record.end()


def _begun(plan: LoadPlan, first: int) -> Run:
    return Run(plan=plan, state=State.WAITING, trace=secrets.token_hex(8), first=first)


def _is_same(wanted: LoadPlan, present: LoadPlan) -> bool:
    """Whether a plan is the one being done: a run by its id, the stack's by what it says."""
    return wanted.run == present.run if wanted.run or present.run else wanted == present
