"""A run's results on the terminal."""

from __future__ import annotations

import math

from rich import box
from rich.console import Console
from rich.style import StyleType
from rich.table import Table
from rich.text import Text

from measure.analysis.comparison import FigureChange, RunComparison
from measure.analysis.faults import spans
from measure.analysis.gates import SHARES, counted, describe_failures, limit_text, measured_text
from measure.formatting import milliseconds, share
from measure.summary import Distribution, Drift, FaultSummary, GateResult, Storage, Stress, Summary

OF_APPLICATION = ("code", "pool", "database_connect")
"""Parts of the application's time."""
LABELS = {
    "code": "  its code",
    "pool": "  wait for a database connection",
    "database_connect": "  connect to the database",
}
OUTCOME_COLOURS = {
    "passed": "green",
    "failed": "red",
    "interrupted": "yellow",
    "timed out": "red",
    "not serving": "red",
}
PART_COLOURS = {
    "generator": "#F0E442",
    "wait": "#999999",
    "web": "#56B4E9",
    "application": "#E69F00",
    "database": "#009E73",
    "total": "#D55E00",
}
"""From Okabe and Ito's palette, which colour-blind readers can tell apart."""
STORAGE_COLUMNS = ("operations/s", "MB/s", "p50 ms", "p99 ms")
QUANTILES = ("mean", "p50", "p90", "p95", "p99", "p99.9", "max")
FROM_SCHEDULED = "all scheduled requests, from their scheduled time"
FROM_SEND = "requests sent, from their send time (closed loop)"


def say(console: Console, text: str, style: StyleType = "") -> None:
    """Print a line as it is: no markup, no highlighting, no wrapping."""
    console.print(Text(text, style), soft_wrap=True)


def print_summary(summary: Summary, console: Console) -> None:
    """Print a run's results and its verdict."""
    tables = [
        latency_table(summary) if summary.latency else None,
        omission_table(summary),
        kinds_table(summary) if len(summary.kinds) > 1 else None,
        faults_table(summary.faults) if summary.faults else None,
        steps_table(summary.stress) if summary.stress and summary.stress.steps else None,
        drift_table(summary.soak) if summary.soak else None,
        storage_table(summary.storage) if summary.storage else None,
        gates_table(summary.verdict.gates) if summary.verdict.gates else None,
    ]
    for one in tables:
        if one is not None:
            console.print(one)
    for line in [*delivery_lines(summary), *fault_lines(summary.faults)]:
        say(console, line)
    if summary.delivery.shortfall:
        say(console, f"Not delivered: {summary.delivery.shortfall}", "yellow")
    console.print()
    verdict = summary.verdict
    say(console, f"{verdict.outcome.upper()}: {verdict.reason}", f"bold {OUTCOME_COLOURS[verdict.outcome]}")


def table(title: str, first: str, *columns: str) -> Table:
    """Return an empty table; all columns but the first hold numbers."""
    made = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, title_style="bold", pad_edge=False)
    made.add_column(first, no_wrap=True)
    for column in columns:
        made.add_column(column, justify="right", no_wrap=True)
    return made


def latency_table(summary: Summary) -> Table:
    """Return the latency of each part, with its share in the total."""
    made = table(f"Latency of {FROM_SCHEDULED} (open model, ms)", "part", *QUANTILES, "share")
    of_total = {one.part: one.share for one in summary.shares}
    of_total["application"] = sum(of_total.get(name, 0.0) for name in OF_APPLICATION)
    for name, one in summary.latency.items():
        label = LABELS.get(name, name)
        made.add_row(label, *_row(one), share(of_total.get(name, 1.0)), style="bold" if name == "total" else None)
    return made


def omission_table(summary: Summary) -> Table | None:
    """Return the total latency with and without coordinated omission."""
    total, client = summary.latency.get("total"), summary.latency_from_send.get("client")
    if total is None or client is None:
        return None
    made = table("Total latency with and without coordinated omission (ms)", "counted", *QUANTILES)
    made.add_row(FROM_SCHEDULED, *_row(total), style="bold")
    made.add_row(FROM_SEND, *_row(client))
    return made


def _row(one: Distribution) -> tuple[str, ...]:
    return tuple(milliseconds(value) for value in (one.mean, one.p50, one.p90, one.p95, one.p99, one.p999, one.max))


def kinds_table(summary: Summary) -> Table:
    """Return the total latency of each kind of request."""
    title = "Total latency of the requests sent, from their scheduled time, by kind (ms)"
    made = table(title, "kind", "requests", "errors", "p50", "p95", "p99", "max")
    for name, one in summary.kinds.items():
        total = one.latency.get("total")
        times = (total.p50, total.p95, total.p99, total.max) if total else (None,) * 4
        made.add_row(name, f"{one.requests:,}", f"{one.errors:,}", *(milliseconds(value) for value in times))
    return made


def gates_table(gates: list[GateResult]) -> Table:
    """Return the gates and the measured values."""
    made = table("Gates", "gate", "limit", "measured", "", "what is counted")
    made.columns[-1].justify, made.columns[-1].no_wrap = "left", False
    for one in gates:
        mark = Text("pass", "green") if one.passed else Text("FAIL", "red")
        made.add_row(one.gate, limit_text(one), measured_text(one), mark, counted(one.gate))
    return made


def steps_table(stress: Stress) -> Table:
    """Return the judged steps of a stress run."""
    title = "Steps (latency of all scheduled requests, from their scheduled time)"
    made = table(title, "rate", "scheduled", "sent", "errors", "p50 ms", "p99 ms", "")
    made.columns[-1].justify = "left"
    for one in stress.steps:
        counts = (f"{one.scheduled:,}", f"{one.sent:,}", f"{one.errors:,}")
        mark = Text("pass", "green") if one.passed else Text(f"FAIL: {describe_failures(one.gates)}", "red")
        made.add_row(f"{one.rate:.0f}/s", *counts, milliseconds(one.p50), milliseconds(one.p99), mark)
    return made


def faults_table(faults: list[FaultSummary]) -> Table:
    """Return when each fault was in force, and the mean of each part before, during and after it."""
    made = table("Faults (mean ms)", "fault", "in force", "part", "before", "during", "after", "share", "during")
    for one in faults:
        names = iter([(one.title, in_force(one))])
        for part in one.parts:
            means = (milliseconds(value) for value in (part.before, part.during, part.after))
            shares = ("-" if value is None else share(value) for value in (part.share_before, part.share_during))
            made.add_row(*next(names, ("", "")), part.part, *means, *shares)
        rates = (one.error_rate_before, one.error_rate_during, one.error_rate_after)
        made.add_row("", "", "errors", *("-" if rate is None else share(rate) for rate in rates))
    made.columns[2].justify = "left"
    return made


def in_force(fault: FaultSummary) -> str:
    """Return when a fault was in force, in seconds of the run."""
    merged = spans(fault.spans, math.inf)
    return ", ".join(f"{begin:.1f} to {'?' if math.isinf(end) else f'{end:.1f}'} s" for begin, end in merged) or "never"


def fault_lines(faults: list[FaultSummary]) -> list[str]:
    """Return which tier shows each fault, and how it was put in force where there are several ways."""
    lines = [f"Fault {one.title}: {one.finding}." for one in faults]
    notes = {f"{one.tier}: {note}" for one in faults for span in one.spans if (note := span.means or span.problem)}
    return [*lines, *(f"Injected on {note}" for note in sorted(notes))]


def drift_table(drifts: list[Drift]) -> Table:
    """Return the drift of each part over a soak run."""
    columns = ("p50 first fifth", "p50 last fifth", "change", "p99 first fifth", "p99 last fifth")
    made = table("Drift (ms)", "part", *columns)
    for one in drifts:
        change = "-" if one.change is None else f"{one.change:+.1%}"
        first, last = milliseconds(one.first_p50), milliseconds(one.last_p50)
        made.add_row(one.part, first, last, change, milliseconds(one.first_p99), milliseconds(one.last_p99))
    return made


def storage_rows(storage: Storage) -> list[tuple[str, ...]]:
    """Return a row for each fio job: its name and STORAGE_COLUMNS."""
    return [
        (
            name,
            f"{job.operations_per_second:,.0f}",
            f"{job.bytes_per_second / 1e6:,.1f}",
            milliseconds(job.p50_ms),
            milliseconds(job.p99_ms),
        )
        for name, job in storage.jobs.items()
    ]


def storage_table(storage: Storage) -> Table:
    """Return the performance of the database's data disk."""
    made = table(f"Data disk (fio, {storage.measured}, {storage.seconds} s per job)", "job", *STORAGE_COLUMNS)
    for row in storage_rows(storage):
        made.add_row(*row)
    return made


def delivery_lines(summary: Summary) -> list[str]:
    """Return the delivery in words."""
    one, checks = summary.delivery, summary.consistency
    lines = [
        f"{one.sent:,} of {one.scheduled:,} scheduled requests sent (delivery ratio {share(one.delivered_share)}), "
        f"{one.errors:,} errors ({share(one.error_rate)}), {one.waited:,} waited for a connection "
        f"({share(one.waited_share)})",
        f"Busy connections: {one.busy_mean:.1f} on average, {one.busy_max} at most, of {summary.plan.concurrency}"
        + (f"; burstiness {one.burstiness:.2f} (0: evenly spaced, 1: Poisson)" if one.burstiness is not None else ""),
        f"Client >= application >= database for {checks.consistent:,} of {checks.checked:,} requests",
    ]
    if summary.parts_over_p50 is not None:
        lines[-1] += f"; around the median the parts add up to {summary.parts_over_p50:.1%} of it"
    if one.errors_by:
        lines.append("Errors: " + ", ".join(f"{count:,} x {name}" for name, count in one.errors_by.items()))
    return lines


def comparison_table(found: RunComparison) -> Table:
    """Return what changed between two sides, and how much of it chance explains."""
    runs = [f"{count} runs" if count > 1 else "1 run" for count in found.runs]
    made = table("Comparison", "figure", f"A ({runs[0]})", f"B ({runs[1]})", "change", "", "chance explains", "")
    styles = {"worse": "bold red", "better": "green", "same": "", "unknown": "yellow"}
    for one in found.changes:
        change = one.after - one.before
        known = math.isfinite(change)
        made.add_row(
            one.figure,
            _amount(one, one.before),
            _amount(one, one.after),
            ("+" if change >= 0 else "-") + _amount(one, abs(change)) if known else "",
            f"{change / one.before:+.1%}" if known and one.before else "",
            _amount(one, one.chance) if one.chance is not None and math.isfinite(one.chance) else "",
            Text(one.finding, styles[one.finding]),
        )
    return made


def _amount(one: FigureChange, value: float) -> str:
    if math.isnan(value):
        return "-"
    return share(value) if one.figure in SHARES else f"{milliseconds(value)}{' ms' if math.isfinite(value) else ''}"
