"""`python -m measure`: one run of load with a verdict, a look at what runs, reports and comparisons of runs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from cloudinit.load_plan import MIX, Profile
from measure.analysis.comparison import compare as compare_runs
from measure.analysis.gates import GATES
from measure.failures import ExitCode, MeasureError, WrongUsageError
from measure.output.report import write_report
from measure.output.results import read_samples, read_summary, runs_in, write
from measure.output.tables import comparison_table, show
from measure.run.cluster import Cluster, connect
from measure.run.interrupt import interruptible
from measure.run.plan import Flags, seconds_of
from measure.run.runner import Runner, Wish
from measure.run.view import view
from measure.run.watch import watch as watch_load

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)
_LOG_WIDTH = 160
# A log, unlike a terminal, has no width of its own: take what the widest table needs.
console = Console(width=None if sys.stdout.isatty() else _LOG_WIDTH)

Namespace = Annotated[str, typer.Option(help="The stack's namespace.")]
Name = Annotated[str, typer.Option(help="The stack's `name` setting.")]
Kubeconfig = Annotated[
    Path | None, typer.Option(help="How to reach the cluster.", show_default="$KUBECONFIG, ~/.kube/config or the Pod's")
]
KubeContext = Annotated[str | None, typer.Option("--context", help="Context in it.", show_default="its current one")]
_STACK = "the stack's"


@app.command()
def run(
    profile: Annotated[
        str | None, typer.Option(help=f"Course of the rate: {', '.join(Profile)}.", show_default=_STACK)
    ] = None,
    rps: Annotated[
        int | None,
        typer.Option(help="Requests per second at the begin, whatever the answers take.", show_default=_STACK),
    ] = None,
    peak: Annotated[
        int | None,
        typer.Option(
            help="Highest rate of ramp, stress and spike.", show_default=f"{_STACK}; with --rps, 4 times that"
        ),
    ] = None,
    duration: Annotated[
        str | None, typer.Option("--for", help="Length of the run, such as 60s or 10m.", show_default=_STACK)
    ] = None,
    concurrency: Annotated[
        int | None, typer.Option(help="Most requests under way at once; more wait.", show_default=_STACK)
    ] = None,
    mix: Annotated[
        str | None,
        typer.Option(
            help=f"Weights of the kinds of requests ({', '.join(MIX)}), such as random=80,write=5; others get none.",
            show_default=_STACK,
        ),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="The same seed asks for the same in the same order.", show_default=_STACK)
    ] = None,
    gate: Annotated[
        list[str] | None,
        typer.Option(
            help=f"What has to be reached, such as total.p99=50; NAME=none lifts one. There are {', '.join(GATES)}.",
            show_default=_STACK,
        ),
    ] = None,
    timeout: Annotated[str, typer.Option(help="Longest wait for the run to begin.")] = "30s",
    repeat: Annotated[int, typer.Option(help="Runs, one after the other, for `compare` to know their spread.")] = 1,
    results: Annotated[Path, typer.Option(help="Directory that the run's own is made in.")] = Path("results"),
    namespace: Namespace = "multi-tier",
    name: Name = "multi-tier",
    kubeconfig: Kubeconfig = None,
    context: KubeContext = None,
) -> None:
    """Do one run of load and judge it.

    Exit codes: 0 passed, 1 a gate failed, 2 wrong usage (nothing was started), 3 the stack doesn't serve, 4 timed out,
    130 interrupted (what was measured is kept).
    """
    if repeat < 1:
        raise WrongUsageError(f"--repeat must be at least 1, not {repeat}.")
    flags = Flags(profile=profile, rps=rps, peak=peak, duration=duration, concurrency=concurrency, mix=mix, seed=seed)
    wish = Wish(flags=flags, gates=tuple(gate or ()), results=results, timeout=seconds_of(timeout), repeat=repeat)
    cluster = Cluster(connect(kubeconfig, context), namespace=namespace, name=name)
    with interruptible(console.show_cursor) as stop:
        code = Runner(cluster, wish, console, stop=stop, view=view).run()
    raise typer.Exit(code)


@app.command()
def watch(
    duration: Annotated[
        str | None, typer.Option("--for", help="How long, such as 60s.", show_default="until Ctrl-C")
    ] = None,
    namespace: Namespace = "multi-tier",
    name: Name = "multi-tier",
    kubeconfig: Kubeconfig = None,
    context: KubeContext = None,
) -> None:
    """Show whatever load is in force, from now on; starts and changes nothing."""
    seconds = seconds_of(duration) if duration else None
    cluster = Cluster(connect(kubeconfig, context), namespace=namespace, name=name)
    cluster.load_object()
    with interruptible(console.show_cursor) as stop, view(console) as shown:
        watch_load(cluster, view=shown, stop=stop, seconds=seconds)


@app.command()
def report(directory: Annotated[Path, typer.Argument(help="A run's directory, or one of repeats.")]) -> None:
    """Show a run's numbers again, and write its report and tables anew from its summary and samples."""
    for path in runs_in(directory):
        summary, samples = read_summary(path), read_samples(path)
        timeline = write(path, summary, samples)
        show(summary, console)
        console.print(f"Report: {write_report(path, summary, samples, timeline)}", highlight=False, soft_wrap=True)


@app.command()
def compare(
    before: Annotated[Path, typer.Argument(metavar="A", help="Directory of the run, or repeats, to compare with.")],
    after: Annotated[Path, typer.Argument(metavar="B", help="Directory of the other.")],
) -> None:
    """Say what got worse from A to B, by how much, and whether that is more than chance; exit code 1 if so."""
    found = compare_runs(before, after)
    console.print(comparison_table(found))
    for note in found.notes:
        console.print(note, style="yellow", highlight=False, soft_wrap=True, markup=False)
    if found.worse:
        console.print(f"WORSE: {', '.join(one.figure for one in found.worse)}", style="bold red", soft_wrap=True)
        raise typer.Exit(ExitCode.GATE_FAILED)
    console.print("Nothing got worse beyond chance.", style="green")


def main() -> None:
    """Run the command line; a failure is a line, never a traceback."""
    try:
        code = app(standalone_mode=False)
    except MeasureError as error:
        fail(str(error), error.exit_code)
    except typer.TyperException as error:
        fail(error.format_message(), ExitCode.WRONG_USAGE)
    except OSError as error:
        fail(f"{error.filename or 'The results'} can't be written: {error.strerror}.", ExitCode.WRONG_USAGE)
    except (KeyboardInterrupt, typer.Abort):
        fail("Interrupted.", ExitCode.INTERRUPTED)
    else:
        sys.exit(code or 0)


def fail(message: str, code: ExitCode) -> None:
    """Say why the program ends, and end it."""
    if message:  # where the help was printed, that says it
        Console(stderr=True, soft_wrap=True).print(Text.assemble(("✗ ", "red"), message))
    sys.exit(code)


if __name__ == "__main__":
    main()
