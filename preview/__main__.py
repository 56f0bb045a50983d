"""`python -m preview`: what a change does to each stack, as a comment for its pull request, without a cluster."""

from __future__ import annotations

import fcntl
import os
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from lab import guestless
from lab.config import PROJECT, Lab
from lab.errors import run_command_line
from lab.progress import Progress
from preview import masking
from preview.checkout import base_of, checked_out, head_of, program_in
from preview.cluster import Cluster, preview_lab
from preview.deployed import Side, forget_others, place_of
from preview.outcome import ExitCode, PreviewError
from preview.report import StackReport, render
from preview.stacks import Comparison

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)
# The report has the standard output for itself.
console = Console(stderr=True, width=None if sys.stderr.isatty() else 120)


@app.command()
def show(
    base: Annotated[str, typer.Option(help="Branch, tag or commit that the change is made to.")],
    project: Annotated[Path, typer.Option(help="Checkout with the change, committed or not.")] = PROJECT,
    stack: Annotated[list[str] | None, typer.Option(help="Only this stack; may be given again.")] = None,
    output: Annotated[Path | None, typer.Option(help="File for the report.", show_default="standard output")] = None,
) -> None:
    """Show what the change does to each stack.

    Exit codes: 0 nothing changes, 2 wrong usage or a failure, 3 something changes, 4 the change is refused,
    130 interrupted.
    """
    lab, progress = preview_lab(), Progress(console)
    found = base_of(project, base)
    with _alone(lab), checked_out(project, found) as directory, tempfile.TemporaryDirectory() as scratch:
        guestless.start(lab, progress)
        cluster = Cluster(lab)
        cluster.install_stand_ins()
        place = place_of(lab, found)
        forget_others(lab, cluster, place)
        before, after = (program_in(where.resolve()) for where in (directory, project))
        names = _wanted(stack, {*before.stacks, *after.stacks})
        copies = Path(scratch)
        comparison = Comparison(Side(lab, before, place, copies), Side(lab, after, place, copies), cluster, place)
        step = progress.step(f"Stacks {', '.join(names)}")
        with step, cluster.machines_ready(), ThreadPoolExecutor(_workers()) as pool:
            reports = list(pool.map(comparison.report, names))
        text = masking.mask(render(found.called, head_of(project), reports), cluster.secrets())
    if output:
        output.write_text(text)
    else:
        sys.stdout.write(text)
    raise typer.Exit(_code(reports))


@app.command()
def stop() -> None:
    """End the control plane that previews leave running, and remove what it has kept."""
    lab = preview_lab()
    if lab.root.is_dir():
        with _alone(lab):
            guestless.stop(lab)


@contextmanager
def _alone(lab: Lab) -> Iterator[None]:
    """Let one preview at a time use the control plane; others wait."""
    lab.root.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (lab.root.parent / f"{lab.root.name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _wanted(asked: list[str] | None, known: set[str]) -> list[str]:
    if unknown := sorted(set(asked or ()) - known):
        raise PreviewError(f"No stack {', '.join(unknown)}. There are: {', '.join(sorted(known))}.")
    return sorted(asked or known)


def _workers() -> int:
    # Each stack waits for the API server about as long as it computes.
    return max(2, 2 * (os.cpu_count() or 1))


def _code(reports: list[StackReport]) -> ExitCode:
    if any(report.failure for report in reports):
        return ExitCode.FAILED
    if any(report.refusals for report in reports):
        return ExitCode.REFUSED
    return ExitCode.CHANGE if any(report.changes or report.removed for report in reports) else ExitCode.NO_CHANGE


def main() -> None:
    """Run the command line."""
    run_command_line(app, PreviewError, code=ExitCode.FAILED)


if __name__ == "__main__":
    main()
