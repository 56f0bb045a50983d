"""Run load through a stack and judge it; watch load; report on runs and compare them; measure starts."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from components.names import PRODUCT
from measure.analysis.comparison import compare as compare_runs
from measure.analysis.startup import parse_gates
from measure.analysis.timeline import timeline
from measure.failures import ExitCode, MeasureError, WrongUsageError, command
from measure.options import (
    CommandLine,
    Concurrency,
    Duration,
    Faults,
    Gates,
    Kubeconfig,
    KubeContext,
    Machines,
    Mix,
    Name,
    Namespace,
    Peak,
    Profile,
    PrometheusUrl,
    Queries,
    Repeat,
    Results,
    Rps,
    Seed,
    Selector,
    StartGates,
    StartTimeout,
    Timeout,
    Until,
)
from measure.output.files import measured_runs, read_samples, read_summary, runs_in, write
from measure.output.report import write_report
from measure.output.tables import comparison_table, print_summary, say
from measure.run.first_answers import ANSWER_SECONDS
from measure.run.interrupt import interruptible
from measure.run.inventory import check_booted
from measure.run.plan import Overrides, seconds_of
from measure.run.prometheus import Prometheus, read_queries
from measure.run.runner import Runner, RunRequest
from measure.run.stack import StackClient, connect
from measure.run.startup import Startup, StartupRequest
from measure.run.view import view
from measure.run.watch import watch as watch_load
from measure.startup_summary import Phase

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)
_LOG_WIDTH = 160
# A log has no width, unlike a terminal: use the widest table's.
console = Console(width=None if sys.stdout.isatty() else _LOG_WIDTH)


@app.command()
def run(
    profile: Profile = None,
    rps: Rps = None,
    peak: Peak = None,
    duration: Duration = None,
    concurrency: Concurrency = None,
    mix: Mix = None,
    seed: Seed = None,
    gate: Gates = None,
    timeout: Timeout = "30s",
    repeat: Repeat = 1,
    results: Results = Path("results"),
    namespace: Namespace = "multi-tier",
    name: Name = "multi-tier",
    kubeconfig: Kubeconfig = None,
    context: KubeContext = None,
) -> None:
    """Run load through a stack and judge it.

    Exit codes:
    0 passed
    1 a gate failed
    2 wrong usage; nothing was started
    3 the stack doesn't serve
    4 timed out
    130 interrupted; the results so far are kept
    """
    overrides = Overrides(
        profile=profile, rps=rps, peak=peak, duration=duration, concurrency=concurrency, mix=mix, seed=seed
    )
    request = RunRequest(
        overrides=overrides, gates=tuple(gate or ()), results=results, timeout=seconds_of(timeout), repeat=repeat
    )
    _run(request, StackClient(connect(kubeconfig, context), namespace=namespace, name=name))


@app.command()
def chaos(
    fault: Faults = None,
    profile: Profile = None,
    rps: Rps = None,
    peak: Peak = None,
    duration: Duration = None,
    concurrency: Concurrency = None,
    mix: Mix = None,
    seed: Seed = None,
    gate: Gates = None,
    timeout: Timeout = "30s",
    repeat: Repeat = 1,
    results: Results = Path("results"),
    namespace: Namespace = "multi-tier",
    name: Name = "multi-tier",
    kubeconfig: Kubeconfig = None,
    context: KubeContext = None,
) -> None:
    """Run load through a stack, inject faults meanwhile, and say which tier shows them.

    Everything else is as with `run`, the exit codes too.
    """
    overrides = Overrides(
        profile=profile, rps=rps, peak=peak, duration=duration, concurrency=concurrency, mix=mix, seed=seed
    )
    request = RunRequest(
        overrides=overrides,
        gates=tuple(gate or ()),
        results=results,
        timeout=seconds_of(timeout),
        repeat=repeat,
        faults=tuple(fault or ()),
    )
    _run(request, StackClient(connect(kubeconfig, context), namespace=namespace, name=name))


def _run(request: RunRequest, stack: StackClient) -> None:
    if request.repeat < 1:
        raise WrongUsageError(f"--repeat must be at least 1, not {request.repeat}.")
    with interruptible(console.show_cursor) as stop:
        code = Runner(stack, request, console, stop=stop, view=view).run()
    raise typer.Exit(code)


@app.command()
def watch(
    duration: Annotated[
        str | None, typer.Option("--for", help="Duration, such as 60s.", show_default="until Ctrl-C")
    ] = None,
    namespace: Namespace = "multi-tier",
    name: Name = "multi-tier",
    kubeconfig: Kubeconfig = None,
    context: KubeContext = None,
) -> None:
    """Show the load in force, from now on. Starts and changes nothing."""
    seconds = seconds_of(duration) if duration else None
    stack = StackClient(connect(kubeconfig, context), namespace=namespace, name=name)
    stack.load_object()
    check_booted(stack)
    with interruptible(console.show_cursor) as stop, view(console) as shown:
        watch_load(stack, view=shown, stop=stop, seconds=seconds)


@app.command()
def startup(
    command_line: CommandLine = None,
    machines: Machines = None,
    until: Until = Phase.SERVING,
    gate: StartGates = None,
    timeout: StartTimeout = "20m",
    queries: Queries = None,
    prometheus: PrometheusUrl = None,
    selector: Selector = None,
    results: Results = Path("results"),
    namespace: Namespace = "multi-tier",
    name: Name = "multi-tier",
    kubeconfig: Kubeconfig = None,
    context: KubeContext = None,
) -> None:
    """Measure how long machines take to start, while a command or something else creates them.

    Exit codes:
    0 passed
    1 a gate failed
    2 wrong usage; nothing was started
    3 the command failed, or no machine was created
    4 timed out
    130 interrupted; the results so far are kept
    """
    gates = parse_gates(gate or ())
    if bool(queries) != bool(prometheus):
        raise WrongUsageError("--queries and --prometheus only work together.")
    request = StartupRequest(
        command=command_line or [],
        selector=selector or f"app.kubernetes.io/part-of={PRODUCT},app.kubernetes.io/instance={name}",
        expected=machines,
        until=until,
        timeout=seconds_of(timeout),
        gates=gates,
        prometheus=Prometheus(prometheus, read_queries(queries)) if prometheus and queries else None,
        results=results,
    )
    api, asking = connect(kubeconfig, context), connect(kubeconfig, context, timeout=ANSWER_SECONDS)
    with interruptible(console.show_cursor) as stop:
        code = Startup(api, asking, StackClient(api, namespace=namespace, name=name), request, console, stop=stop).run()
    raise typer.Exit(code)


@app.command()
def report(directory: Annotated[Path, typer.Argument(help="Directory of a run, or of repeats.")]) -> None:
    """Show a run's results again, and recreate its report and tables from its summary and samples."""
    for path in runs_in(directory):
        summary = read_summary(path)
        samples = read_samples(path, summary)
        seconds = timeline(samples, summary.plan)
        write(path, summary, seconds)
        print_summary(summary, console)
        say(console, f"Report: {write_report(path, summary, samples, seconds)}")


@app.command()
def compare(
    before: Annotated[Path, typer.Argument(metavar="A", help="Directory of the baseline: a run, or repeats.")],
    after: Annotated[Path, typer.Argument(metavar="B", help="Directory of the run or repeats to compare with it.")],
) -> None:
    """Show what got worse from A to B and whether it exceeds chance.

    Exit codes:
    0 nothing got worse
    1 something got worse
    2 wrong usage
    3 the runs can't be compared
    """
    found = compare_runs(measured_runs(before), measured_runs(after))
    console.print(comparison_table(found))
    for note in found.notes:
        say(console, note, "yellow")
    if found.worse and not found.obstacles:
        say(console, f"WORSE: {', '.join(one.figure for one in found.worse)}", "bold red")
        raise typer.Exit(ExitCode.GATE_FAILED)
    if found.obstacles:
        say(console, f"CAN'T COMPARE: {'; '.join(found.obstacles)}.", "bold red")
        raise typer.Exit(ExitCode.NOT_COMPARABLE)
    say(console, "Nothing got worse beyond chance.", "green")


def main() -> None:
    """Run the command line; an expected error is one line on standard error, not a traceback."""
    try:
        code = app(prog_name=command(), standalone_mode=False)
    except MeasureError as error:
        fail(str(error), error.exit_code)
    except typer.TyperException as error:
        fail(error.format_message(), ExitCode.WRONG_USAGE)
    except OSError as error:
        fail(f"Can't write {error.filename or 'the results'}: {error.strerror}.", ExitCode.WRONG_USAGE)
    except (KeyboardInterrupt, typer.Abort):
        fail("Interrupted.", ExitCode.INTERRUPTED)
    else:
        sys.exit(code or 0)


def fail(message: str, code: ExitCode) -> None:
    """Print why the program ends, and end it."""
    if message:  # empty where the help was printed
        Console(stderr=True, soft_wrap=True).print(Text.assemble(("✗ ", "red"), message))
    sys.exit(code)


if __name__ == "__main__":
    main()
