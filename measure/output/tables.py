"""What the terminal shows of a run's numbers."""

from __future__ import annotations

from collections.abc import Mapping

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from measure.analysis.comparison import Comparison, Difference
from measure.analysis.gates import SHARES, words
from measure.output.figures import milliseconds, share
from measure.summary import Distribution, Drift, GateResult, Storage, Stress, Summary

INSIDE = ("code", "pool", "database_connect")
"""Parts of the application's time."""
LABELS = {"code": "  its code", "pool": "  wait for a connection", "database_connect": "  connect to database"}
COLOURS = {"passed": "green", "failed": "red", "interrupted": "yellow", "timed out": "red", "not serving": "red"}


def table(title: str, first: str, *columns: str) -> Table:
    """Return an empty table whose columns but the first are numbers."""
    made = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, title_style="bold", pad_edge=False)
    made.add_column(first, no_wrap=True)
    for column in columns:
        made.add_column(column, justify="right", no_wrap=True)
    return made


def latency_table(summary: Summary) -> Table:
    """Return percentiles per part, with its share in the total."""
    columns = ("mean", "p50", "p90", "p95", "p99", "p99.9", "max", "share")
    made = table("Latency from when a request was due (ms)", "part", *columns)
    of_total = {one.part: one.share for one in summary.shares}
    of_total["application"] = sum(of_total.get(name, 0.0) for name in INSIDE)
    for name, one in summary.latency.items():
        label = LABELS.get(name, name)
        made.add_row(label, *_row(one), share(of_total.get(name, 1.0)), style="bold" if name == "total" else None)
    return made


def sides_table(summary: Summary) -> Table | None:
    """Return the total time beside what a closed-loop generator would have said."""
    total, client = summary.latency.get("total"), summary.seen.get("client")
    if total is None or client is None:
        return None
    made = table("Total, counted in two ways (ms)", "from when", "mean", "p50", "p90", "p95", "p99", "p99.9", "max")
    made.add_row("it was due: the truth", *_row(total), style="bold")
    made.add_row("it was sent: what a closed-loop generator reports", *_row(client))
    return made


def _row(one: Distribution) -> tuple[str, ...]:
    return tuple(milliseconds(value) for value in (one.mean, one.p50, one.p90, one.p95, one.p99, one.p999, one.max))


def kinds_table(summary: Summary) -> Table:
    """Return the total time by kind of request."""
    made = table("By kind of request, total (ms)", "kind", "requests", "errors", "p50", "p95", "p99", "max")
    for name, one in summary.kinds.items():
        total = one.latency.get("total")
        times = (total.p50, total.p95, total.p99, total.max) if total else (None,) * 4
        made.add_row(name, f"{one.requests:,}", f"{one.errors:,}", *(milliseconds(value) for value in times))
    return made


def gates_table(gates: list[GateResult]) -> Table:
    """Return the gates and what was measured."""
    made = table("Gates", "gate", "limit", "measured", "")
    for one in gates:
        shown = share if one.gate in SHARES else (lambda value: f"{milliseconds(value)} ms")
        mark = Text("pass", "green") if one.passed else Text("FAIL", "red")
        made.add_row(one.gate, shown(one.limit), shown(one.measured), mark)
    return made


def stairs_table(stress: Stress) -> Table:
    """Return the stairs that were climbed."""
    made = table("Stairs", "rate", "asked", "sent", "errors", "p50 ms", "p99 ms", "")
    made.columns[-1].justify = "left"
    for one in stress.stairs:
        broke = ", ".join(words(gate) for gate in one.gates if not gate.passed)
        counts = (f"{one.asked:,}", f"{one.sent:,}", f"{one.errors:,}")
        mark = Text("held", "green") if one.held else Text(f"BROKE: {broke}", "red")
        made.add_row(f"{one.rate:.0f}/s", *counts, milliseconds(one.p50), milliseconds(one.p99), mark)
    return made


def drift_table(drifts: list[Drift]) -> Table:
    """Return how the parts changed through a soak run."""
    columns = ("p50 first fifth", "p50 last fifth", "change", "p99 first fifth", "p99 last fifth")
    made = table("Drift (ms)", "part", *columns)
    for one in drifts:
        change = f"{one.change:+.1%}" if one.first_p50 else "-"
        first, last = milliseconds(one.first_p50), milliseconds(one.last_p50)
        made.add_row(one.part, first, last, change, milliseconds(one.first_p99), milliseconds(one.last_p99))
    return made


STORAGE_COLUMNS = ("operations/s", "MB/s", "p50 ms", "p99 ms")


def storage_rows(found: Storage) -> list[tuple[str, ...]]:
    """Return a row for each job: its name, operations a second, MB a second, and its times in ms."""
    return [
        (
            name,
            f"{job.operations_per_second:,.0f}",
            f"{job.bytes_per_second / 1e6:,.1f}",
            milliseconds(job.p50_ms),
            milliseconds(job.p99_ms),
        )
        for name, job in found.jobs.items()
    ]


def storage_table(found: Storage) -> Table:
    """Return what the database's disk was measured to do."""
    made = table(f"Data disk by fio, {found.measured}, {found.seconds} s each", "kind", *STORAGE_COLUMNS)
    for row in storage_rows(found):
        made.add_row(*row)
    return made


def delivery_lines(summary: Summary) -> list[str]:
    """Return in words what was delivered."""
    one = summary.delivery
    lines = [
        f"{one.sent:,} of {one.asked:,} asked requests sent ({share(one.delivered_share)}), {one.errors:,} errors "
        f"({share(one.error_rate)}), {one.waited:,} waited for a connection ({share(one.waited_share)})",
        f"connections busy: {one.busy_mean:.1f} on average, {one.busy_max} at most, of {summary.plan.concurrency}"
        + (f"; arrivals' variance/mean per 10 ms: {one.evenness:.2f}" if one.evenness is not None else ""),
        f"client >= application >= database held for {summary.invariants.held:,} of "
        f"{summary.invariants.requests:,} requests",
    ]
    if summary.p50_sum is not None:
        lines[-1] += f"; around the median the parts add up to {summary.p50_sum:.1%} of it"
    if one.errors_by:
        lines.append("errors: " + ", ".join(f"{count:,} x {name}" for name, count in one.errors_by.items()))
    return lines


def show(summary: Summary, console: Console) -> None:
    """Print a run's numbers and its verdict."""
    parts: Mapping[str, Table | None] = {
        "latency": latency_table(summary) if summary.latency else None,
        "sides": sides_table(summary),
        "kinds": kinds_table(summary) if len(summary.kinds) > 1 else None,
        "stairs": stairs_table(summary.stress) if summary.stress and summary.stress.stairs else None,
        "drift": drift_table(summary.soak) if summary.soak else None,
        "storage": storage_table(summary.storage) if summary.storage else None,
        "gates": gates_table(summary.verdict.gates) if summary.verdict.gates else None,
    }
    for one in parts.values():
        if one is not None:
            console.print(one)
    for line in delivery_lines(summary):
        console.print(line, highlight=False, soft_wrap=True)
    if summary.delivery.problem:
        console.print(f"Not delivered: {summary.delivery.problem}", highlight=False, style="yellow", soft_wrap=True)
    verdict = summary.verdict
    console.print()
    console.print(
        Text(f"{verdict.outcome.upper()}: {verdict.reason}", f"bold {COLOURS[verdict.outcome]}"), soft_wrap=True
    )


def comparison_table(found: Comparison) -> Table:
    """Return what changed between two sides, each with what chance explains."""
    runs = [f"{count} runs" if count > 1 else "1 run" for count in found.runs]
    made = table("Comparison", "figure", f"A ({runs[0]})", f"B ({runs[1]})", "change", "", "by chance up to", "")
    styles = {"worse": "bold red", "better": "green", "same": "", "unknown": "dim"}
    says = {"unknown": "too few requests to tell"}
    for one in found.differences:
        change = one.after - one.before
        relative = f"{change / one.before:+.1%}" if one.before else ""
        chance = "" if one.finding == "unknown" else _amount(one, one.spread[1])
        made.add_row(
            one.figure,
            _amount(one, one.before),
            _amount(one, one.after),
            ("+" if change >= 0 else "-") + _amount(one, abs(change)),
            relative,
            chance,
            Text(says.get(one.finding, one.finding), styles[one.finding]),
        )
    return made


def _amount(one: Difference, value: float) -> str:
    return share(value) if one.figure in SHARES else f"{milliseconds(value)} ms"
