"""One run, or several, from the command line's wishes to files and a verdict."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from itertools import chain, count
from pathlib import Path
from threading import Event

from rich.console import Console

from cloudinit.load_plan import LoadPlan, parse_load_plan
from measure.analysis.gates import stack_gates, with_flags
from measure.analysis.summarize import summarize
from measure.failures import ExitCode, NotServingError, WrongUsageError
from measure.output import tables
from measure.output.report import write_report
from measure.output.results import SamplesFile, write
from measure.run.cluster import GATES, PLAN, Cluster
from measure.run.plan import Flags, run_plan
from measure.run.session import Session, new_progress
from measure.run.storage import storage
from measure.run.versions import machines, versions
from measure.run.view import LiveView, LogView, describe
from measure.summary import Config


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What one call of `run` is to do.

    Attributes:
        flags: of the plan.
        gates: of the command line.
        results: directory that the run's own is made in.
        timeout: seconds within which a run must begin.
        repeat: how many runs, one after the other.
    """

    flags: Flags
    gates: tuple[str, ...]
    results: Path
    timeout: float
    repeat: int


class Runner:
    """Does what was wished for on one stack."""

    def __init__(
        self,
        cluster: Cluster,
        wish: Wish,
        console: Console,
        *,
        stop: Event,
        view: Callable[[Console], AbstractContextManager[LiveView | LogView]],
    ) -> None:
        """Check everything that can be checked before anything is started.

        Raises:
            WrongUsageError: the wish can't be done.
            NotServingError: there is no stack.
            TimedOutError: the API server is away.
        """
        self._cluster, self._wish, self._console, self._stop, self._view = cluster, wish, console, stop, view
        # What is wrong by itself is wrong on any stack.
        with_flags({}, wish.gates)
        load = cluster.load_object()
        self._stack_plan = _stack_plan(load.data.get(PLAN))
        self._gates = with_flags(stack_gates(load.data.get(GATES)), wish.gates)
        self._plan = run_plan(self._stack_plan, wish.flags)

    def run(self) -> ExitCode:
        """Do the run, or all of them, and return what to exit with."""
        first = _free(self._wish.results, f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{self._plan.profile}")
        if self._wish.repeat == 1:
            return self._one(first, self._wish.results / first)
        worst = ExitCode.PASSED
        for number in range(1, self._wish.repeat + 1):
            self._console.print(f"\nRun {number} of {self._wish.repeat}", style="bold", highlight=False)
            code = self._one(f"{first}-{number}", self._wish.results / first / str(number))
            if code > ExitCode.GATE_FAILED:
                return code
            worst = max(worst, code)
        self._console.print(f"All runs: {self._wish.results / first}", highlight=False, soft_wrap=True)
        return worst

    def _one(self, name: str, directory: Path) -> ExitCode:
        plan = replace(self._plan, run=name)
        progress = new_progress(plan, self._gates)
        with self._view(self._console) as view, _made(directory):
            session = Session(self._cluster, progress, view=view, stop=self._stop, timeout=self._wish.timeout)
            session.begin()
            self._console.print(f"{name}: {describe(plan)}", highlight=False, soft_wrap=True)
            with SamplesFile(directory) as file:
                early = session.follow(file.keep)
        status = progress.status
        found = versions(self._cluster, status.versions if status else {})
        config = self._config(status.target if status else "")
        summary = summarize(progress, self._gates, config, found, early, storage(self._cluster))
        timeline = write(directory, summary, progress.samples)
        tables.show(summary, self._console)
        if progress.warning:
            self._console.print(progress.warning, style="yellow", highlight=False, soft_wrap=True)
        report = write_report(directory, summary, progress.samples, timeline)
        self._console.print(f"Report: {report}", highlight=False, soft_wrap=True)
        return ExitCode(summary.verdict.exit_code)

    def _config(self, target: str) -> Config:
        return Config(
            namespace=self._cluster.namespace,
            name=self._cluster.name,
            target=target,
            stack_plan=asdict(self._stack_plan),
            gates=self._gates,
            machines=machines(self._cluster),
        )


def _free(results: Path, name: str) -> str:
    """Return a name for a run that none has yet, even if there was one in the same second."""
    numbered = (f"{name}-{number}" for number in count(2))
    return next(one for one in chain([name], numbered) if not (results / one).exists())


@contextmanager
def _made(directory: Path) -> Iterator[None]:
    """Make a directory; if nothing is written to it because of an error, it goes again."""
    new = [path for path in (directory, *directory.parents) if not path.exists()]
    try:
        directory.mkdir(parents=True)
    except OSError as error:
        raise WrongUsageError(f"{directory} can't be made for the results: {error.strerror}. See --results.") from None
    try:
        yield
    except BaseException:
        with suppress(OSError):  # something is in it
            for path in new:
                path.rmdir()
        raise


def _stack_plan(text: str | None) -> LoadPlan:
    if text is None:
        raise NotServingError("The stack's ConfigMap holds no plan.json. Run `pulumi up` again.")
    try:
        return parse_load_plan(text)
    except ValueError as error:
        raise NotServingError(
            f"The stack's load plan can't be read: {error} Run `pulumi up` with this version of the project."
        ) from None
