"""`make faults`: every fault with load running, what the client saw, and whether a write was lost."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from faults import cluster, database, deployments, tiers
from faults.experiment import Experiments, Outcome
from faults.stack import Stack
from lab import deployment, lifecycle, repair
from lab.config import GuestKind, Lab
from lab.errors import LabError, run_command_line
from lab.progress import Progress

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
console = Console(width=None if sys.stdout.isatty() else 140)
FAULTS = {
    one.name: one
    for one in (*tiers.FAULTS, *database.FAULTS, *cluster.FAULTS, *deployments.FAULTS, cluster.everything_killed)
}
"""All faults by name, in the order in which they are injected."""


@app.command()
def faults(
    names: Annotated[list[str] | None, typer.Argument(help="Faults to inject. Default: all.")] = None,
    show_list: Annotated[bool, typer.Option("--list", help="List the faults and exit.")] = False,
    rate: Annotated[float, typer.Option(min=1, max=100, help="The client's requests per second.")] = 50,
    kills: Annotated[int, typer.Option(min=1, help="How often `up` and `destroy` are killed.")] = 2,
    seed: Annotated[int, typer.Option(help="Seed of the random points at which they are killed.")] = 1,
    results: Annotated[Path, typer.Option(help="The file to write.")] = Path("results/faults.json"),
) -> None:
    """Inject faults into a stack of its own on the lab, with load running. Exit code 1: a bound is broken."""
    if show_list:
        for one in FAULTS.values():
            typer.echo(f"{one.name:30}{one.sentence}")
        return
    if unknown := set(names or ()) - set(FAULTS):
        raise LabError(f"No fault {', '.join(sorted(unknown))}. See --list.")
    chosen = [FAULTS[name] for name in names or FAULTS]
    results.parent.mkdir(parents=True, exist_ok=True)
    lab = Lab.from_environment()
    if lab.kind is not GuestKind.CONTAINERS:
        raise LabError("The faults need a lab of containers: they reach into the guests' processes.")
    lab = lifecycle.start(lab, Progress(console))
    outcomes: list[Outcome] = []
    with Stack.deployed(lab, "load", seed=seed, kills=kills) as stack:
        experiments = Experiments(stack, rate)
        for one in chosen:
            outcomes.append(experiments.run(one))
            results.write_text(json.dumps([each.as_dict() for each in outcomes], indent=2) + "\n")
            console.print(line(outcomes[-1]), highlight=False, markup=False)
            if not outcomes[-1].passed:
                _repair(stack)
    console.print(table(outcomes))
    console.print(f"Written to {results}", markup=False)
    raise typer.Exit(0 if all(one.passed for one in outcomes) else 1)


def _repair(stack: Stack) -> None:
    """Do what `make lab` does, so that the next fault finds a stack that works."""
    progress = Progress(console)
    lifecycle.start(stack.lab, progress)
    repair.restart_failed_guests(stack.lab, stack.cluster, progress)
    deployment.up(stack.lab, stack.name, "--config-file", str(stack.file))


def line(outcome: Outcome) -> str:
    """Return one line about a fault that has just ended."""
    words = "; ".join(outcome.problems) or "passed"
    return f"{outcome.fault}: {outcome.client_errors} of {outcome.requests} requests failed; {words}"


def table(outcomes: list[Outcome]) -> Table:
    """Return the table of all faults."""
    found = Table(title="Faults with load running", title_justify="left")
    found.add_column("fault", no_wrap=True)
    for column in ("lasts s", "requests", "failed", "unavailable s", "slow", "recovery s", "ready s", "lost writes"):
        found.add_column(column, justify="right")
    found.add_column("verdict")
    for one in outcomes:
        found.add_row(
            one.fault,
            f"{one.seconds:.0f}",
            str(one.requests),
            str(one.client_errors),
            f"{one.unavailable_s:.1f}",
            str(one.slow_answers),
            "never" if one.recovery_s is None else str(one.recovery_s),
            "never" if one.ready_s is None else f"{one.ready_s:.0f}",
            str(one.lost_writes),
            "passed" if one.passed else "; ".join(one.problems),
        )
    return found


def main() -> None:
    """Run the command line."""
    run_command_line(app)


if __name__ == "__main__":
    main()
