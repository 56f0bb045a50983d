"""`make bench`: measure the project itself, side by side, on the one-machine lab."""

from __future__ import annotations

import json
import platform
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from bench import costs, frozen_second, plot, rates
from bench.stacks import Variant, running
from lab import lifecycle
from lab.config import Lab, LabError
from lab.progress import Progress

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
console = Console(width=None if sys.stdout.isatty() else 120)


@app.command()
def bench(
    rounds: Annotated[int, typer.Option(min=1, help="How often each side of a comparison is measured.")] = 15,
    results: Annotated[Path, typer.Option(help="Directory for bench.json and bench.svg.")] = Path("results/bench"),
) -> None:
    """Measure delivery, the frozen second and the costs; write JSON, print and plot it."""
    lab, progress = Lab.from_environment(), Progress(console)
    lifecycle.install(lab, progress)
    lifecycle.start(lab, progress)
    started = datetime.now(UTC)
    place = results / started.strftime("%Y%m%d-%H%M%S")
    place.mkdir(parents=True)
    found: dict[str, Any] = {"started": started.isoformat(timespec="seconds"), "machine": _machine()}
    with running(lab, [Variant("load", {"load": {"rps": 1}})]) as (stack,):
        found["rates"] = rates.measure(lab, stack, place, console)
        found["frozen_second"] = frozen_second.measure(lab, stack, place, console)
    found["costs"] = costs.measure(lab, rounds, console)
    (place / "bench.json").write_text(json.dumps(found, indent=2) + "\n")
    plot.save(found, place / "bench.svg")
    _show(found)
    console.print(f"Written to {place}/bench.json and bench.svg")


def _machine() -> dict[str, Any]:
    processors = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    return {"processors": len(processors), "model": processors[0].partition(": ")[2], "kernel": platform.release()}


def _show(found: dict[str, Any]) -> None:
    delivery = Table("asked/s", "delivered", "evenness", "p50 ms", "p99 ms", "sum of parts", "within limits")
    for one in found["rates"]:
        figures = (f"{one['delivered_share']:.4%}", f"{one['evenness']:.2f}", f"{one['p50']:.2f}", f"{one['p99']:.2f}")
        delivery.add_row(str(one["rps"]), *figures, f"{one['p50_sum']:.3f}", "yes" if one["within_limits"] else "no")
    console.print(delivery)
    frozen = Table("frozen second", "requests", "p50 ms", "p99 ms", "p99.9 ms", "max ms")
    for name in ("open", "closed"):
        one = found["frozen_second"][name]
        frozen.add_row(name, str(one["count"]), *(f"{one[key]:.1f}" for key in ("p50", "p99", "p999", "max")))
    console.print(frozen)
    cost = Table("cost of", "throughput", "rounds", "limit", "processor time a request", "rounds")
    for name, one in found["costs"].items():
        row = [f"{-one['cost']:+.1%}", _spread(one["throughput"]["ratio"]), f"-{one['limit']:.0%}"]
        cost.add_row(name, *row, f"{one['cpu']['ratio']['median'] - 1:+.1%}", _spread(one["cpu"]["ratio"]))
    console.print(cost)


def _spread(ratio: dict[str, Any]) -> str:
    return f"x {ratio['least']:.2f} to {ratio['most']:.2f}"


def main() -> None:
    """Run the command line; a failure is a message, never a traceback."""
    try:
        app()
    except LabError as error:
        console.print(f"[red]✗[/] {error}", highlight=False, soft_wrap=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
