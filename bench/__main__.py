"""`make bench`: measurements of the project beside its peers, on labs of its own.

`bench.json` has a section for each part, with figures by name and the measurements behind them. A part that is
measured again replaces its section and leaves the others.
"""

from __future__ import annotations

import json
import platform
import sys
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from bench import costs, creating, figures, generating, plot, serving, starting
from bench.labs import own_lab
from lab.errors import run_command_line

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
console = Console(width=None if sys.stdout.isatty() else 120)


class Part(StrEnum):
    """The parts of the bench, and the names of their sections."""

    STARTING = "starting"
    CREATING = "creating"
    SERVING = "serving"
    GENERATING = "generating"
    COSTS = "costs"


TABLES: dict[Part, Callable[[Any], Table]] = {
    Part.STARTING: starting.table,
    Part.CREATING: creating.table,
    Part.SERVING: serving.table,
    Part.GENERATING: generating.table,
    Part.COSTS: costs.table,
}
# These share a lab whose guests boot.
WITH_GUESTS = {Part.SERVING, Part.GENERATING, Part.COSTS}


@app.command()
def bench(
    parts: Annotated[list[Part] | None, typer.Argument(help="What to measure. Default: all (over two hours).")] = None,
    quick: Annotated[bool, typer.Option(envvar="QUICK", help="Fewer repeats, smaller sizes: 10 minutes.")] = False,
    results: Annotated[Path, typer.Option(help="Directory of bench.json and bench.svg.")] = Path("results"),
    kube_burner: Annotated[
        Path | None, typer.Option(envvar="KUBE_BURNER", help="A kube-burner program, to compare with.")
    ] = None,
    cold: Annotated[bool, typer.Option(help="Also build everything from an empty cache: 20 minutes.")] = False,
) -> None:
    """Measure the project beside its peers. Print, plot and write the figures."""
    # The costs of measuring take five stacks.
    wanted = parts or [part for part in Part if not (quick and part is Part.COSTS)]
    results.mkdir(parents=True, exist_ok=True)
    path = results / "bench.json"
    found: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    found["machine"] = _machine()

    def record(part: Part, section: dict[str, Any]) -> None:
        # At once: a part that fails takes nothing from those before it.
        began = datetime.now(UTC).isoformat(timespec="seconds")
        found[part] = {"measured": began, "quick": quick, **section}
        path.write_text(json.dumps(found, indent=2) + "\n")

    if Part.STARTING in wanted:
        record(Part.STARTING, starting.measure(console, quick=quick, cold=cold))
    if Part.CREATING in wanted:
        record(Part.CREATING, creating.measure(console, quick=quick, kube_burner_program=kube_burner))
    if set(wanted) & WITH_GUESTS:
        with own_lab(console) as lab, tempfile.TemporaryDirectory() as directory:
            if Part.SERVING in wanted:
                record(Part.SERVING, serving.measure(lab, console, quick=quick))
            if Part.GENERATING in wanted:
                record(Part.GENERATING, generating.measure(lab, Path(directory), console, quick=quick))
            if Part.COSTS in wanted:
                record(Part.COSTS, costs.measure(lab, console))
    plot.save(found, results / "bench.svg")
    for part in wanted:
        console.print(TABLES[part](found[part]))
    console.print(figures.table({part: found[part] for part in wanted}))
    console.print(f"Written to {path} and {results}/bench.svg", markup=False, soft_wrap=True)


def _machine() -> dict[str, Any]:
    processors = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    return {"processors": len(processors), "model": processors[0].partition(": ")[2], "kernel": platform.release()}


def main() -> None:
    """Run the command line."""
    run_command_line(app)


if __name__ == "__main__":
    main()
