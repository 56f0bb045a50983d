"""One measured start: watch machines that are created meanwhile, until all have come far enough."""

from __future__ import annotations

import shlex
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from threading import Event

from rich.console import Console

from kube.client import Api
from measure.analysis.startup import first_answer, judge, phases, tiers, verdict
from measure.failures import (
    ExitCode,
    InterruptedRunError,
    MeasureError,
    NotServingError,
    TimedOutError,
    WrongUsageError,
)
from measure.output.files import created, unused
from measure.output.startup import print_startup, write_startup
from measure.output.tables import say
from measure.run.first_answers import FirstAnswers, request_of
from measure.run.inventory import versions
from measure.run.machine_watch import Clock, MachineWatch, StartingMachine
from measure.run.prometheus import Prometheus
from measure.run.stack import StackClient
from measure.startup_summary import MachineStart, Phase, StartupSummary, StartVerdict

_POLL = 0.05
_LOG_EVERY = 5.0  # seconds
_SETTLE = 1.0  # seconds after a command's exit until the API server has reported what it created


@dataclass(frozen=True, slots=True, kw_only=True)
class StartupRequest:
    """What one call of `startup` asks for.

    Attributes:
        command: The command that creates the machines; empty if something else does.
        selector: Label selector of the machines.
        expected: How many machines have to start; None: those that there are once the command has ended.
        until: The phase that every machine has to reach.
        timeout: Seconds within which they have to.
        gates: Limits in seconds, by gate.
        prometheus: Whom to ask for metrics of the same time, if anybody.
        results: Directory in which the start's own is created.
    """

    command: Sequence[str]
    selector: str
    expected: int | None
    until: Phase
    timeout: float
    gates: dict[str, float]
    prometheus: Prometheus | None
    results: Path


class Startup:
    """Carries out a request on one cluster."""

    def __init__(
        self,
        api: Api,
        asking: Api,
        stack: StackClient,
        request: StartupRequest,
        console: Console,
        *,
        stop: Event,
        clock: Clock = time.monotonic,
    ) -> None:
        """Check everything that can be checked before anything is started.

        Args:
            api: Client for watching.
            asking: Client for requests to machines, with a short time-out.
            stack: The stack, for its names and versions.
            request: What is asked for.
            console: Where the results are printed.
            stop: Set by Ctrl-C.
            clock: The only clock that times are taken from.

        Raises:
            WrongUsageError: The request is invalid.
        """
        if not request.command and request.expected is None:
            raise WrongUsageError(
                "How many machines will start? Say so with --machines, or give the command that creates them, as in "
                "`measure startup -- pulumi up --yes`."
            )
        self._request, self._stack, self._console, self._stop, self._clock = request, stack, console, stop, clock
        self._watch = MachineWatch(api, namespace=stack.namespace, selector=request.selector, clock=clock)
        self._answers = FirstAnswers(asking, namespace=stack.namespace, clock=clock)
        self._command = shlex.join(request.command)
        self._logged = clock()

    def run(self) -> ExitCode:
        """Measure, report, and return the exit code."""
        request = self._request
        if request.prometheus:
            request.prometheus.check()
        name = unused(request.results, f"{datetime.now(UTC):%Y%m%d-%H%M%S}-startup")
        with created(request.results / name):
            try:
                self._watch.start()
                # Both at the same moment: the second only says when that was.
                began, began_unix = self._clock(), time.time()
                with _running(request.command) as process:
                    early = self._follow(began + request.timeout, process)
                    ended = self._clock()
            finally:
                self._watch.stop()
                self._answers.stop()
            seen = self._watch.machines()
            if not seen and early is None:
                raise self._nothing()
            # Without a command, the start is that of the first machine.
            origin = began if request.command or not seen else min(one.reached[Phase.CREATED] for one in seen)
            started = began_unix + origin - began
            summary = self._summary(name, seen, started, origin, ended, early)
        print_startup(summary, self._console)
        directory = request.results / name
        say(self._console, f"Results: {write_startup(directory, summary)}")
        return ExitCode(summary.verdict.exit_code)

    def _follow(self, deadline: float, process: subprocess.Popen[bytes] | None) -> MeasureError | None:
        """Watch and ask until every machine has come far enough; return why that was not so, if it wasn't."""
        ended: float | None = None  # when the command did
        while True:
            machines = self._watch.machines()
            self._answers.ask(machines)
            if process and ended is None and process.poll() is not None:
                ended = self._clock()
                if process.returncode:
                    return NotServingError(f"`{self._command}` exited with code {process.returncode}.")
            settled = not process or (ended is not None and self._clock() - ended >= _SETTLE)
            if settled and self._all_started(machines):
                return None
            if self._clock() > deadline:
                if process and ended is None:
                    process.send_signal(signal.SIGINT)  # as Ctrl-C: Pulumi ends in good order
                return TimedOutError(self._shortfall(machines))
            if self._stop.wait(_POLL):
                return InterruptedRunError("Interrupted.")
            self._log(machines)

    def _all_started(self, machines: Sequence[StartingMachine]) -> bool:
        expected = self._request.expected
        enough = len(machines) >= expected if expected is not None else True
        return enough and all(self._has_started(one) for one in machines)

    def _has_started(self, machine: StartingMachine) -> bool:
        """Return whether a machine has reached every phase that it has to, or never will."""
        return machine.deleted or self._wanted(machine) <= self._reached(machine).keys()

    def _wanted(self, machine: StartingMachine) -> set[Phase]:
        """Return the phases that a machine has to reach: a machine that nobody asks never serves."""
        order = list(Phase)
        wanted = set(order[: order.index(self._request.until) + 1])
        return wanted if request_of(machine) else wanted - {Phase.SERVING}

    def _reached(self, machine: StartingMachine) -> dict[Phase, float]:
        served = self._answers.served(machine.uid)
        return machine.reached if served is None else {**machine.reached, Phase.SERVING: served}

    def _shortfall(self, machines: Sequence[StartingMachine]) -> str:
        """Return what did not start in time, in one line."""
        late = [one for one in machines if not self._has_started(one)]
        expected = self._request.expected
        missing = max(0, expected - len(machines)) if expected is not None else 0
        parts = []
        if late:
            first, more = late[0], len(late) - 1
            problem = self._answers.problem(first.uid)
            others = f" and {more:,} more" if more else ""
            phase = min(self._wanted(first) - self._reached(first).keys(), key=list(Phase).index)
            parts.append(f"not {phase}: {first.name}{f' ({problem})' if problem else ''}{others}")
        if missing:
            parts.append(f"{missing:,} of {expected:,} machines were never created{self._earlier()}")
        if not parts:
            parts.append(f"`{self._command}` still runs")
        return f"Timed out after {self._request.timeout:g} s: {'; '.join(parts)}."

    def _earlier(self) -> str:
        count = self._watch.earlier
        return f" ({count:,} existed already, and aren't measured)" if count else ""

    def _nothing(self) -> NotServingError:
        return NotServingError(
            f"`{self._command}` created no machine with the labels {self._request.selector} in namespace "
            f"{self._stack.namespace}{self._earlier()}. Check --namespace and --name, or destroy the stack first."
        )

    def _log(self, machines: Sequence[StartingMachine]) -> None:
        """Print a line every few seconds, unless the terminal is a command's."""
        if not self._request.command and self._clock() - self._logged >= _LOG_EVERY:
            self._logged = self._clock()
            reached = [self._reached(one) for one in machines]
            counts = (f"{phase} {sum(phase in one for one in reached):,}" for phase in Phase)
            say(self._console, f"of {self._request.expected:,} machines: {', '.join(counts)}")

    def _summary(
        self,
        name: str,
        seen: Sequence[StartingMachine],
        started: float,
        origin: float,
        ended: float,
        early: MeasureError | None,
    ) -> StartupSummary:
        request = self._request
        machines = [self._machine(one, origin) for one in seen]
        expected = request.expected or (None if early else len(machines))
        missing = max(0, (expected or 0) - len(machines))
        summary = StartupSummary(
            id=name,
            started=datetime.fromtimestamp(started, UTC).isoformat(timespec="milliseconds"),
            seconds=ended - origin,
            namespace=self._stack.namespace,
            selector=request.selector,
            command=list(request.command),
            until=request.until,
            expected=expected,
            verdict=StartVerdict(outcome="passed", exit_code=0, reason="", gates=[]),
            first_answer=first_answer(machines),
            phases=phases(machines, request.until, missing),
            tiers=tiers(machines, request.until),
            machines=machines,
            resolution=self._answers.resolution,
            versions=versions(self._stack, {}),
            prometheus=request.prometheus.ask(started, started + ended - origin) if request.prometheus else {},
        )
        gates = judge(request.gates, summary)
        deleted = [one.name for one in seen if one.deleted and not self._wanted(one) <= self._reached(one).keys()]
        if deleted and early is None:
            early = NotServingError(f"Deleted before it was {request.until}: {', '.join(deleted)}.")
        return summary.model_copy(update={"verdict": verdict(gates, early)})

    def _machine(self, machine: StartingMachine, origin: float) -> MachineStart:
        reached = self._reached(machine)
        times = {phase: reached[phase] - origin if phase in reached else None for phase in Phase}
        return MachineStart.model_validate(
            {
                "name": machine.name,
                "tier": machine.tier,
                "asked": request_of(machine) is not None,
                "deleted": machine.deleted,
                "simulated": machine.simulated,
                "problem": "" if Phase.SERVING in reached else self._answers.problem(machine.uid),
                **times,
            }
        )


@contextmanager
def _running(command: Sequence[str]) -> Iterator[subprocess.Popen[bytes] | None]:
    """Run a command, if there is one, with this process's terminal, and wait for its end.

    Raises:
        WrongUsageError: It can't be started.
    """
    if not command:
        yield None
        return
    try:
        process = subprocess.Popen(command)
    except OSError as error:
        raise WrongUsageError(f"Can't run {command[0]}: {error.strerror}.") from None
    try:
        yield process
    finally:
        process.wait()  # Ctrl-C reaches it too, and it may be cancelling what it does
