"""One run or several: from the command line's request to files, a report and an exit code."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from threading import Event

from rich.console import Console

from cloudinit.load_plan import LoadPlan, parse_load_plan
from measure.analysis.gates import stack_gates, with_flags
from measure.analysis.recording import Recording
from measure.analysis.schedule import with_unsent
from measure.analysis.summarize import summarize
from measure.analysis.timeline import timeline
from measure.failures import ExitCode, NotServingError
from measure.formatting import describe, timing
from measure.output.files import SamplesFile, created, unused, write
from measure.output.report import write_report
from measure.output.tables import print_summary, say
from measure.run.chaos import Chaos, check_faults, parse_faults, stack_faults
from measure.run.inventory import check_booted, machines, storage, versions
from measure.run.plan import Overrides, check_memory, run_plan
from measure.run.session import Session, View
from measure.run.stack import GATES, PLAN, StackClient
from measure.summary import Config


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRequest:
    """What one call of `run` asks for.

    Attributes:
        overrides: Changes to the stack's load plan.
        gates: Gates from the command line.
        results: Directory in which the run's own is created.
        timeout: Seconds within which a run must start.
        repeat: Number of runs, one after the other.
        faults: Faults to inject during each, from the command line; empty: the stack's; None: none, the stack's own
            continue as they are.
    """

    overrides: Overrides
    gates: tuple[str, ...]
    results: Path
    timeout: float
    repeat: int
    faults: tuple[str, ...] | None = None


class Runner:
    """Carries out a run request on one stack."""

    def __init__(
        self,
        stack: StackClient,
        request: RunRequest,
        console: Console,
        *,
        stop: Event,
        view: Callable[[Console], AbstractContextManager[View]],
    ) -> None:
        """Check everything that can be checked before anything is started.

        Raises:
            WrongUsageError: The request is invalid.
            NotServingError: The stack doesn't exist.
            TimedOutError: The API server is unreachable.
        """
        self._stack, self._request, self._console, self._stop, self._view = stack, request, console, stop, view
        with_flags({}, request.gates)  # invalid gates are reported even if the cluster is unreachable
        faults = parse_faults(request.faults) if request.faults else []
        load = stack.load_object()
        check_booted(stack)
        self._stack_plan = _stack_plan(load.data.get(PLAN))
        self._gates = with_flags(stack_gates(load.data.get(GATES)), request.gates)
        self._plan = run_plan(self._stack_plan, request.overrides)
        check_memory(self._plan, machines(stack))
        self._faults = stack_faults(stack) if request.faults == () else faults
        check_faults(self._faults, self._plan, machines(stack))

    def run(self) -> ExitCode:
        """Do all runs and return the exit code."""
        results, repeat = self._request.results, self._request.repeat
        name = unused(results, f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{self._plan.profile}")
        if repeat == 1:
            return self._run(name, results / name)
        worst = ExitCode.PASSED
        for number in range(1, repeat + 1):
            say(self._console, f"\nRun {number} of {repeat}", "bold")
            code = self._run(f"{name}-{number}", results / name / str(number))
            if code > ExitCode.GATE_FAILED:
                return code
            worst = max(worst, code)
        say(self._console, f"All runs: {results / name}")
        return worst

    def _run(self, name: str, directory: Path) -> ExitCode:
        recording = Recording.of(replace(self._plan, run=name), self._gates)
        chaos = Chaos(self._stack, self._faults, recording.plan)
        with self._view(self._console) as view, created(directory), SamplesFile(directory) as file:
            session = Session(
                self._stack,
                recording,
                view=view,
                stop=self._stop,
                timeout=self._request.timeout,
                started=chaos.begin,
            )
            session.start()
            say(self._console, f"{name}: {describe(recording.plan)}")
            for one in self._faults:
                say(self._console, f"Fault: {one.title}, {timing(one)}")
            early = session.follow(file.append)
            faults = chaos.end()
        agent = session.status
        summary = summarize(
            recording,
            self._config(agent.target if agent else ""),
            versions=versions(self._stack, agent.versions if agent else {}),
            early=early,
            storage=storage(self._stack),
            faults=faults,
        )
        samples = with_unsent(recording.samples, recording.plan, summary.delivery.scheduled)
        seconds = timeline(samples, recording.plan)
        print_summary(summary, self._console)  # first: it needs no disk
        for warning in filter(None, (session.warning, chaos.warning)):
            say(Console(stderr=True), warning, "yellow")
        write(directory, summary, seconds)
        say(self._console, f"Report: {write_report(directory, summary, samples, seconds)}")
        return ExitCode(summary.verdict.exit_code)

    def _config(self, target: str) -> Config:
        return Config(
            namespace=self._stack.namespace,
            name=self._stack.name,
            target=target,
            stack_plan=asdict(self._stack_plan),
            gates=self._gates,
            machines=machines(self._stack),
        )


def _stack_plan(text: str | None) -> LoadPlan:
    if text is None:
        raise NotServingError("The stack's ConfigMap has no plan.json. Run `pulumi up` again.")
    try:
        return parse_load_plan(text)
    except ValueError as error:
        raise NotServingError(
            f"The stack's load plan can't be parsed: {error} Run `pulumi up` with this version of the project."
        ) from None
