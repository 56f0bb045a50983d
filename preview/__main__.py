"""What a change does to each stack, as Markdown for a pull request, without a cluster."""

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
from lab.errors import LabError, run_command_line
from lab.progress import Progress
from preview.baseline import Baseline
from preview.checkout import Program, base_of, checked_out, head_title
from preview.cluster import Cluster, preview_lab
from preview.masking import mask
from preview.report import ExitCode, exit_code, render
from preview.stacks import Comparison

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)
# Standard output is for the report alone.
console = Console(stderr=True, width=None if sys.stderr.isatty() else 120)


@app.command()
def show(
    base: Annotated[str, typer.Option(help="Branch, tag or commit that the change is based on.")],
    project: Annotated[Path, typer.Option(help="Checkout with the change, committed or not.")] = PROJECT,
    stack: Annotated[list[str] | None, typer.Option(help="Preview only this stack. Can be repeated.")] = None,
    output: Annotated[Path | None, typer.Option(help="File for the report.", show_default="standard output")] = None,
) -> None:
    """Show what the change does to each stack.

    Exit codes: 0 no change, 2 usage error or failure, 3 changes, 4 change refused, 130 interrupted.
    """
    lab, progress = preview_lab(), Progress(console)
    commit = base_of(project, base)
    with _locked(lab), checked_out(project, commit) as directory, tempfile.TemporaryDirectory() as scratch:
        guestless.start(lab, progress)
        cluster = Cluster(lab)
        cluster.install_stand_ins()
        before, after = (Program.load(path.resolve()) for path in (directory, project))
        names = _selected(stack, {*before.stacks, *after.stacks})
        baseline = Baseline(lab, cluster, before, commit.commit, Path(scratch))
        baseline.remove_others()
        comparison = Comparison(baseline, after, cluster)
        step = progress.step(f"Stacks {', '.join(names)}")
        # A stack waits for the API server about as long as it computes.
        with step, cluster.machines_ready(), ThreadPoolExecutor(2 * (os.cpu_count() or 1)) as pool:
            reports = list(pool.map(comparison.report, names))
        text = mask(render(commit.title, head_title(project), reports), cluster.secrets())
    if output:
        output.write_text(text)
    else:
        sys.stdout.write(text)
    raise typer.Exit(exit_code(reports))


@app.command()
def stop() -> None:
    """Stop the control plane that previews leave running, and delete its data."""
    lab = preview_lab()
    if lab.root.is_dir():
        with _locked(lab):
            guestless.stop(lab)


@contextmanager
def _locked(lab: Lab) -> Iterator[None]:
    """Give one preview at a time the control plane; others wait."""
    lab.root.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (lab.root.parent / f"{lab.root.name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _selected(names: list[str] | None, known: set[str]) -> list[str]:
    if unknown := sorted(set(names or ()) - known):
        raise LabError(f"Unknown stack {', '.join(unknown)}. Use one of: {', '.join(sorted(known))}.")
    return sorted(names or known)


def main() -> None:
    """Run the command line."""
    run_command_line(app, code=ExitCode.FAILED)


if __name__ == "__main__":
    main()
