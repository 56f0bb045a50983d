"""`make bench`: measurements of the project itself on the one-machine lab."""

from __future__ import annotations

import json
import platform
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from bench import costs, creating, frozen_second, plot, rates
from bench.stacks import Variant, running
from lab import lifecycle
from lab.config import Lab
from lab.errors import run_command_line
from lab.progress import Progress

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
console = Console(width=None if sys.stdout.isatty() else 120)


class Part(StrEnum):
    """The parts of the bench."""

    RATES = "rates"
    FROZEN_SECOND = "frozen-second"
    COSTS = "costs"
    CREATING = "creating"


@app.command()
def bench(
    parts: Annotated[list[Part] | None, typer.Argument(help="What to measure. Default: all, an hour.")] = None,
    rounds: Annotated[int, typer.Option(min=1, help="Number of measurements of each side of a comparison.")] = 15,
    results: Annotated[Path, typer.Option(help="Parent directory of the results.")] = Path("results/bench"),
    quick: Annotated[bool, typer.Option(envvar="QUICK", help="Create fewer machines, less often.")] = False,
    kube_burner: Annotated[
        Path | None, typer.Option(envvar="KUBE_BURNER", help="A kube-burner program, to compare with.")
    ] = None,
) -> None:
    """Measure delivery, a frozen second, costs and the creation of machines. Print, plot and write the figures."""
    started = datetime.now(UTC)
    directory = results / started.strftime("%Y%m%d-%H%M%S")
    directory.mkdir(parents=True)
    found: dict[str, Any] = {"started": started.isoformat(timespec="seconds"), "machine": _machine()}
    wanted = parts or list(Part)
    if Part.CREATING in wanted:  # first: it has the machine for itself
        found["creating"] = creating.measure(console, quick=quick, kube_burner_program=kube_burner)
    if set(wanted) - {Part.CREATING}:
        lab = lifecycle.start(Lab.from_environment(), Progress(console))
    if set(wanted) - {Part.COSTS, Part.CREATING}:
        with running(lab, [Variant("load", {"load": {"rps": 1}})]) as (stack,):
            for part, module in ((Part.RATES, rates), (Part.FROZEN_SECOND, frozen_second)):
                if part in wanted:
                    found[part.replace("-", "_")] = module.measure(lab, stack, directory, console)
    if Part.COSTS in wanted:
        found["costs"] = costs.measure(lab, rounds, console)
    for file in (directory / "bench.json", results.with_suffix(".json")):  # of all runs, and of the last one
        file.write_text(json.dumps(found, indent=2) + "\n")
    plot.save(found, directory / "bench.svg")
    _show(found)
    console.print(f"Written to {directory}/bench.json and bench.svg", markup=False, soft_wrap=True)


def _machine() -> dict[str, Any]:
    processors = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    return {"processors": len(processors), "model": processors[0].partition(": ")[2], "kernel": platform.release()}


def _show(found: dict[str, Any]) -> None:
    tables: dict[str, Callable[[Any], Table]] = {
        "rates": _rates,
        "frozen_second": _frozen,
        "costs": _costs,
        "creating": creating.table,
    }
    for part, table in tables.items():
        if part in found:
            console.print(table(found[part]))


def _rates(found: list[dict[str, Any]]) -> Table:
    table = Table("requests/s", "delivery ratio", "burstiness", "p50 ms", "p99 ms", "parts/p50", "within limits")
    for one in found:
        table.add_row(
            str(one["rps"]),
            f"{one['delivered_share']:.4%}",
            f"{one['burstiness']:.2f}",
            f"{one['p50']:.2f}",
            f"{one['p99']:.2f}",
            f"{one['parts_over_p50']:.3f}",
            "yes" if one["within_limits"] else "no",
        )
    return table


def _frozen(found: dict[str, Any]) -> Table:
    table = Table("frozen second", "requests", "p50 ms", "p99 ms", "p99.9 ms", "max ms")
    for name in ("open", "closed"):
        one = found[name]
        table.add_row(name, str(one["count"]), *(f"{one[key]:.1f}" for key in ("p50", "p99", "p999", "max")))
    return table


def _costs(found: dict[str, Any]) -> Table:
    table = Table("cost of", "throughput", "rounds", "limit", "processor time/request", "rounds")
    for name, one in found.items():
        row = [f"{-one['cost']:+.1%}", _spread(one["throughput"]["ratio"]), f"-{one['limit']:.0%}"]
        table.add_row(name, *row, f"{one['cpu']['ratio']['median'] - 1:+.1%}", _spread(one["cpu"]["ratio"]))
    return table


def _spread(ratio: dict[str, Any]) -> str:
    return f"x{ratio['least']:.2f} to x{ratio['most']:.2f}"


def main() -> None:
    """Run the command line."""
    run_command_line(app)


if __name__ == "__main__":
    main()
