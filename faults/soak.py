"""`make soak`: steady load for half an hour, with faults on a schedule. What should be constant must not grow."""

from __future__ import annotations

import json
import sys
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from faults import database, ledger, soak_plot, tiers
from faults.client import Client
from faults.experiment import RECOVERY_BOUND
from faults.fault import Fault
from faults.ledger import Ledger, Standing
from faults.stack import RPS, Stack
from faults.trends import Bound, Trend, trend
from faults.usage import Usage, usage
from kube.errors import ApiError
from lab import lifecycle
from lab.background import repeating
from lab.config import GuestKind, Lab
from lab.errors import LabError, run_command_line
from lab.progress import Progress, Step
from measure.failures import WrongUsageError
from measure.run.plan import seconds_of

# Faults that end no process whose memory is judged: a restart would hide what it had lost.
FAULTS = (tiers.web_reloaded, database.database_row_locked, tiers.application_frozen, database.database_disk_slow)
LEAST_SECONDS = 60
_SECONDS_A_FAULT = 120
_POINTS = 180  # of each figure over the whole time
_LEAST_INTERVAL, _LONGEST_INTERVAL = 2.0, 10.0
# How much each figure may grow in the second half of the time. Memory: the heaps of Go and Python breathe by a tenth.
# Files: connections come and go with the load. Disk: nginx keeps 8 MB of log, the load agent 32 MB of samples, and
# 15 updates a second add 2 MB to the history in a quarter of an hour.
BOUNDS = {
    "memory": Bound(least=16, share=0.1),  # MiB
    "files": Bound(least=25, share=0.1),
    "disk": Bound(least=48),  # MiB
    "latency": Bound(least=5, share=0.5),  # ms of the median, outside faults
}

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
console = Console(width=None if sys.stdout.isatty() else 120)


@dataclass(slots=True)
class Soak:
    """What was measured.

    Attributes:
        seconds: How long.
        rate: Requests per second: the client's and those of the stack's own load generator.
        times: When each point of the figures was taken, in seconds from the start.
        usage: The figures of guests and components over the time, by subject and kind.
        latency: The client's median and p99 in ms, at the same times.
        faults: Each fault's name, start and end, in seconds from the start.
        requests: Number of the client's requests.
        errors: How many failed.
        errors_outside_faults: How many of them failed neither during a fault nor within its time to recover.
        lost_writes: Acknowledged balance updates that are missing.
        acknowledged_writes: Balance updates that were acknowledged.
        problems: What broke a bound, in words.
    """

    seconds: int
    rate: float
    times: list[float] = field(default_factory=list)
    usage: dict[str, dict[str, list[float]]] = field(default_factory=dict)
    latency: dict[str, list[float]] = field(default_factory=lambda: {"p50": [], "p99": []})
    faults: list[tuple[str, float, float]] = field(default_factory=list)
    requests: int = 0
    errors: int = 0
    errors_outside_faults: int = 0
    lost_writes: int = 0
    acknowledged_writes: int = 0
    problems: list[str] = field(default_factory=list)

    def disturbed(self, time: float) -> bool:
        """Whether a time is during a fault or within its time to recover."""
        return any(start <= time <= end + RECOVERY_BOUND for _, start, end in self.faults)

    def add(self, time: float, found: Usage) -> None:
        """Add a point of every guest's and component's figures."""
        self.times.append(time)
        for subject, kinds in found.items():
            for kind, value in kinds.items():
                self.usage.setdefault(subject, {}).setdefault(kind, []).append(value)


@app.command()
def soak(
    duration: Annotated[str, typer.Argument(help="How long, such as 60s or 2h.")] = "30m",
    rate: Annotated[float, typer.Option(min=1, max=100, help="The client's requests per second.")] = 30,
    results: Annotated[Path, typer.Option(help="Directory of soak.json and soak.svg.")] = Path("results"),
) -> None:
    """Load a stack of its own on the lab, with faults on a schedule. Exit code 1: something grows, or is lost."""
    try:
        seconds = seconds_of(duration)
    except WrongUsageError as error:
        raise LabError(str(error)) from None
    if seconds < LEAST_SECONDS:
        raise LabError(f"{duration} is too short for a trend: at least {LEAST_SECONDS}s.")
    results.mkdir(parents=True, exist_ok=True)
    lab = Lab.from_environment()
    if lab.kind is not GuestKind.CONTAINERS:
        raise LabError("The soak needs a lab of containers: it looks into the guests' processes.")
    progress = Progress(console)
    lab = lifecycle.start(lab, progress)
    with Stack.deployed(lab, "soak") as stack, progress.step(f"{duration} of load") as step:
        found = measure(stack, seconds, rate, step)
    trends = judge(found)
    document = {**asdict(found), "trends": {key: _as_dict(one) for key, one in trends.items()}}
    (results / "soak.json").write_text(json.dumps({**document, "passed": not found.problems}, indent=2) + "\n")
    soak_plot.save(found.times, found.usage, found.latency, found.faults, results / "soak.svg")
    console.print(table(trends))
    console.print(
        f"{found.requests} requests in {seconds} s, {found.errors} failed, {found.errors_outside_faults} of them "
        f"outside faults; {found.acknowledged_writes} acknowledged writes, {found.lost_writes} lost",
        highlight=False,
    )
    for problem in found.problems:
        console.print(f"✗ {problem}", markup=False, style="red")
    console.print(f"Written to {results}/soak.json and soak.svg", markup=False)
    raise typer.Exit(1 if found.problems else 0)


def schedule(seconds: int) -> list[tuple[float, Fault]]:
    """Return when to inject which fault: one every two minutes, in turn, after a quarter of its time."""
    count = max(1, seconds // _SECONDS_A_FAULT)
    return [((number + 0.25) * seconds / count, FAULTS[number % len(FAULTS)]) for number in range(count)]


def measure(stack: Stack, seconds: int, rate: float, step: Step) -> Soak:
    """Load a stack, inject the faults when they are due, and return the figures.

    Args:
        stack: The stack.
        seconds: How long.
        rate: The client's requests per second.
        step: Shows how far it is.

    Raises:
        LabError: A guest or component could not be looked at.
    """
    found, books = Soak(seconds, rate + RPS), Ledger()
    interval = min(max(seconds / _POINTS, _LEAST_INTERVAL), _LONGEST_INTERVAL)
    with Client(stack.url, str(stack.lab.host_address), books, rate) as client:
        began = time.monotonic()

        def sample() -> None:
            with suppress(ApiError, StopIteration):  # a missing point is no failure, but too few are
                found.add(time.monotonic() - began, usage(stack.lab, stack.name))
            failed = sum(client.failures(began).values())
            step.say(f"{step.seconds / seconds:.0%}; faults so far: {len(found.faults)}; failed requests: {failed}")

        with repeating(sample, interval):
            for due, fault in schedule(seconds):
                time.sleep(max(0.0, began + due - time.monotonic()))
                start = time.monotonic() - began
                try:
                    fault.inject(stack)
                except (LabError, ApiError) as error:
                    found.problems.append(f"{fault.name}: {error}")
                found.faults.append((fault.name, start, time.monotonic() - began))
            time.sleep(max(0.0, began + seconds - time.monotonic()))
    _requests(found, client, began)
    rows = [line.split("|") for line in stack.sql(ledger.BOOKS).splitlines()]
    audit = books.audit((kind, int(account), int(amount)) for kind, account, amount in rows)
    found.lost_writes, found.acknowledged_writes = len(audit.lost), books.count(Standing.ACKNOWLEDGED)
    if audit.unexpected or audit.unbalanced:
        found.problems.append("the database's books have updates that were refused, or balances without history")
    return found


def _requests(found: Soak, client: Client, began: float) -> None:
    """Fill in what the client has seen."""
    requests = client.requests()
    due = requests["due"] - began
    failed = due[~requests["good"]]
    found.requests, found.errors = len(requests), len(failed)
    found.errors_outside_faults = sum(not found.disturbed(time) for time in failed.tolist())
    for start, end in zip([0.0, *found.times], found.times, strict=False):
        took = requests["took"][(due >= start) & (due < end) & requests["good"]] * 1000
        for name, share in (("p50", 0.5), ("p99", 0.99)):
            found.latency[name].append(float(np.quantile(took, share)) if len(took) else float("nan"))


def judge(found: Soak) -> dict[str, Trend]:
    """Return the trend of each figure, and add what broke a bound to the problems."""
    trends: dict[str, Trend] = {}
    series = {
        f"{subject} {kind}": (found.times, values, BOUNDS[kind])
        for subject, kinds in found.usage.items()
        for kind, values in kinds.items()
        if len(values) == len(found.times)
    }
    quiet = [
        (time, value)
        for time, value in zip(found.times, found.latency["p50"], strict=True)
        if not found.disturbed(time) and not np.isnan(value)
    ]
    series["client latency"] = ([time for time, _ in quiet], [value for _, value in quiet], BOUNDS["latency"])
    found.problems += [
        f"{subject} was missing part of the time"
        for subject, kinds in found.usage.items()
        if any(len(values) != len(found.times) for values in kinds.values())
    ]
    if not found.usage:
        found.problems.append("no guest and no component was measured")
    for name, (times, values, bound) in series.items():
        one = trend(times, values, bound, found.seconds / 2)
        if one is None:
            found.problems.append(f"{name}: too few points for a trend")
            continue
        trends[name] = one
        if one.grows:
            found.problems.append(f"{name} grew by {one.growth:.1f} in the second half; allowed: {one.allowed:.1f}")
    found.problems += [
        f"{count} {what}"
        for count, what in (
            (found.errors_outside_faults, "requests failed outside faults"),
            (found.lost_writes, "acknowledged writes are lost"),
        )
        if count
    ]
    if not found.acknowledged_writes:
        found.problems.append("no write was acknowledged")
    return trends


def table(trends: dict[str, Trend]) -> Table:
    """Return the table of trends."""
    shown = Table("figure", title="Growth in the second half", title_justify="left")
    for column in ("median", "growth", "allowed"):
        shown.add_column(column, justify="right")
    for name, one in trends.items():
        style = "red" if one.grows else None
        shown.add_row(name, f"{one.median:.1f}", f"{one.growth:+.1f}", f"{one.allowed:.1f}", style=style)
    return shown


def _as_dict(one: Trend) -> dict[str, Any]:
    return {**asdict(one), "grows": one.grows}


def main() -> None:
    """Run the command line."""
    run_command_line(app)


if __name__ == "__main__":
    main()
