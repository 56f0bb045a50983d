"""What a change does to each stack, as Markdown for a pull request, without a cluster."""

from __future__ import annotations

import os
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from kube.errors import ApiError
from lab.config import PROJECT
from lab.errors import LabError, run_command_line
from lab.progress import Progress
from preview import control_plane
from preview.baseline import Baseline
from preview.checkout import Program, base_of, checked_out, head_title
from preview.cluster import Cluster
from preview.masking import mask
from preview.report import ExitCode, exit_code, failed, render
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
    try:
        if output:
            output.unlink(missing_ok=True)
        text, code = _report(base, project, stack)
    except (LabError, ApiError) as error:
        if output:  # so that nobody takes the report of an earlier preview for this one's
            output.write_text(failed(str(error)))
        raise
    if output:
        output.write_text(text)
    else:
        sys.stdout.write(text)
    raise typer.Exit(code)


def _report(base: str, project: Path, stacks: list[str] | None) -> tuple[str, ExitCode]:
    progress = Progress(console)
    commit = base_of(project, base)
    running, checkout = control_plane.running(progress), checked_out(project, commit)
    with running as lab, checkout as directory, tempfile.TemporaryDirectory() as scratch:
        cluster = Cluster(lab)
        cluster.install_stand_ins()
        before, after = (Program.load(path.resolve()) for path in (directory, project))
        names = selected(stacks, {*before.stacks, *after.stacks})
        baseline = Baseline(lab, cluster, before, commit.commit, Path(scratch))
        baseline.remove_others()
        comparison = Comparison(baseline, after, cluster)
        step = progress.step(f"Stacks {', '.join(names)}")
        # A stack waits for the API server about as long as it computes.
        with step, cluster.machines_ready(), ThreadPoolExecutor(2 * (os.cpu_count() or 1)) as pool:
            reports = list(pool.map(comparison.report, names))
        text = mask(render(commit.title, head_title(project), reports), cluster.secrets())
    return text, exit_code(reports)


@app.command()
def stop() -> None:
    """Stop the control plane that previews leave running, and delete its data."""
    control_plane.stop(Progress(console))


def selected(names: list[str] | None, known: set[str]) -> list[str]:
    """Return the stacks to preview, given those that were asked for.

    Raises:
        LabError: There is no such stack, or none at all.
    """
    if not known:
        raise LabError("The project has no stack: no file Pulumi.<stack>.yaml was found.")
    if unknown := sorted(set(names or ()) - known):
        raise LabError(f"Unknown stack {', '.join(unknown)}. Use one of: {', '.join(sorted(known))}.")
    return sorted(names or known)


def main() -> None:
    """Run the command line."""
    run_command_line(app, code=ExitCode.FAILED)


if __name__ == "__main__":
    main()
