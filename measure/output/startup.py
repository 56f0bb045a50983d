"""A start's results: a table on the terminal, startup.json and a plot."""

from __future__ import annotations

import math
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from measure.analysis.startup import FIGURES
from measure.formatting import seconds
from measure.output.files import replace
from measure.output.tables import OUTCOME_COLOURS, say, table
from measure.startup_summary import Phase, StartDistribution, StartGate, StartupSummary

STARTUP, PLOT = "startup.json", "startup.svg"


def print_startup(summary: StartupSummary, console: Console) -> None:
    """Print a start's results and its verdict."""
    if summary.phases:
        console.print(_phases_table(summary))
        say(console, "created counts from the start, the other phases from when their machine was created.")
    if summary.verdict.gates:
        console.print(_gates_table(summary.verdict.gates))
    if simulated := sum(one.simulated for one in summary.machines):
        say(console, f"{simulated:,} of {len(summary.machines):,} machines are simulated: nothing booted.", "yellow")
    if summary.first_answer is not None:
        say(console, f"First good response through all tiers: {seconds(summary.first_answer)} after the start.")
    if summary.resolution is not None:
        say(console, f"Serving is measured to within {seconds(summary.resolution)}.")
    for name, one in summary.prometheus.items():
        if one.problem:
            say(console, f"Query {name!r}: {one.problem}", "yellow")
    verdict = summary.verdict
    say(console, f"{verdict.outcome.upper()}: {verdict.reason}", f"bold {OUTCOME_COLOURS[verdict.outcome]}")


def write_startup(directory: Path, summary: StartupSummary) -> Path:
    """Write startup.json and, if there are machines, startup.svg; return the directory.

    Raises:
        WrongUsageError: They can't be written.
    """
    replace(directory / STARTUP, summary.model_dump_json(indent=2) + "\n")
    if summary.machines:
        # Imported here because matplotlib takes longer to import than everything else.
        from measure.output.plots import startup_plot

        replace(directory / PLOT, startup_plot(summary))
    return directory


def _phases_table(summary: StartupSummary) -> Table:
    made = table("Start latency (s)", "phase", "machines", *FIGURES)
    for phase in Phase:
        if phase in summary.phases:
            made.add_row(phase, *_cells(summary.phases[phase]), style="bold")
        of_tiers = {tier: found[phase] for tier, found in summary.tiers.items() if phase in found}
        for tier, one in of_tiers.items() if len(summary.tiers) > 1 else ():
            made.add_row(f"  {tier or 'other'}", *_cells(one))
    return made


def _cells(one: StartDistribution) -> list[str]:
    reached = f"{one.count - one.unreached:,}" + (f" of {one.count:,}" if one.unreached else "")
    return [reached, *("not reached" if math.isinf(time) else f"{time:.2f}" for time in _figures(one))]


def _figures(one: StartDistribution) -> list[float]:
    return [getattr(one, figure) for figure in FIGURES]


def _gates_table(gates: list[StartGate]) -> Table:
    made = table("Gates", "gate", "limit", "measured", "")
    for one in gates:
        measured = "not reached" if one.measured is None else seconds(one.measured)
        result = Text("pass", "green") if one.passed else Text("FAIL", "red")
        made.add_row(one.gate, seconds(one.limit), measured, result)
    return made
