"""A run while it goes on: a screen that renews itself on a terminal, now and then a line in a log."""

from __future__ import annotations

import time

import numpy as np
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from cloudinit.load_plan import LoadPlan, arrivals, rate_at
from measure.analysis.samples import TIERS, Samples, part
from measure.analysis.statistics import percentiles
from measure.output.figures import milliseconds, rate, share
from measure.output.tables import stairs_table, table
from measure.run.plan import arrivals_until
from measure.run.session import Progress
from measure.summary import Plan

_LOG_EVERY = 5.0  # seconds
_DRAW_EVERY = 1.0
_RECENT = 5.0
_QUANTILES = [500, 950, 990]


class LogView:
    """A plain line every few seconds, for a log."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._said = time.monotonic()
        self._note = ""

    def __enter__(self) -> LogView:
        return self

    def __exit__(self, *_: object) -> None:
        """Leave what was printed."""

    def show(self, progress: Progress) -> None:
        """Print a line if the last one is a while ago, or says something else."""
        if progress.note and progress.note != self._note:
            self._console.print(progress.note, highlight=False, soft_wrap=True, markup=False)
        self._note = progress.note or self._note
        if not progress.note and time.monotonic() - self._said >= _LOG_EVERY:
            self._said = time.monotonic()
            self._console.print(line(progress), highlight=False, soft_wrap=True)


class LiveView:
    """A screen that renews itself."""

    def __init__(self, console: Console) -> None:
        self._live = Live(console=console, auto_refresh=False, transient=True)
        self._drawn = 0.0

    def __enter__(self) -> LiveView:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def show(self, progress: Progress) -> None:
        """Draw anew, at most once a second: the percentiles of all samples take a while."""
        if time.monotonic() - self._drawn >= _DRAW_EVERY:
            self._drawn = time.monotonic()
            self._live.update(screen(progress), refresh=True)


def view(console: Console) -> LiveView | LogView:
    """Return the view that fits the console."""
    return LiveView(console) if console.is_terminal else LogView(console)


def recent(progress: Progress) -> Samples:
    """Return the requests sent in the last seconds."""
    samples = progress.samples
    if not len(samples):
        return samples
    # By the newest sample and not by the clock: requests that hang are not answered yet.
    chosen: Samples = samples[samples["sent"] >= samples["sent"].max() - _RECENT * 1000]
    return chosen


def line(progress: Progress) -> str:
    """Return one line on the last seconds."""
    samples = recent(progress)
    asked, delivered = rates(progress, samples)
    times = "  ".join(f"{name} {_three(samples, name)}" for name in ("total", *TIERS[1:]))
    errors = int(np.count_nonzero(progress.samples["good"] == 0))
    of = f"/{progress.plan.seconds}" if progress.plan.run else ""
    return (
        f"{progress.elapsed:4.0f}{of} s  asked {rate(asked)} delivered {rate(delivered)}  "
        f"p50/p95/p99 ms: {times}  errors {errors:,}"
    )


def rates(progress: Progress, samples: Samples) -> tuple[float, float]:
    """Return the rates asked and delivered in the time of some samples, per second."""
    sent = samples["sent"] / 1000
    begin, end = (float(sent.min()), float(sent.max())) if len(sent) else (0.0, 0.0)
    if begin == end:
        return rate_at(progress.plan.segments, _in_plan(progress)), 0.0
    asked = _arrivals(progress.plan, end) - _arrivals(progress.plan, begin)
    return asked / (end - begin), (len(samples) - 1) / (end - begin)


def _arrivals(plan: LoadPlan, second: float) -> float:
    """Return how many requests are due until a time; the stack's own plan begins anew whenever it ends."""
    if plan.run:
        return float(arrivals_until(plan.segments, second))
    rounds, rest = divmod(second, plan.seconds)
    return rounds * arrivals(plan.segments) + float(arrivals_until(plan.segments, rest))


def _in_plan(progress: Progress) -> float:
    return progress.elapsed if progress.plan.run else progress.elapsed % progress.plan.seconds


def _three(samples: Samples, name: str) -> str:
    return "/".join(milliseconds(value) for value in percentiles(part(samples, name), _QUANTILES))


def screen(progress: Progress) -> Group:
    """Return all that is shown of a run."""
    samples = recent(progress)
    pieces: list[RenderableType] = [_head(progress, samples), _times(progress, samples)]
    if progress.stairs is not None and progress.stairs.judged:
        pieces.append(stairs_table(progress.stairs.result(progress.samples)))
    if progress.note:
        pieces.append(Text(progress.note, "yellow"))
    return Group(*pieces)


def _head(progress: Progress, samples: Samples) -> Table:
    plan, every = progress.plan, progress.samples
    asked, delivered = rates(progress, samples)
    head = Table.grid(padding=(0, 2))
    title = plan.run or "the stack's own load"
    head.add_row(Text(title, "bold"), describe(plan))
    if plan.run:
        bar = ProgressBar(total=plan.seconds, completed=min(progress.elapsed, plan.seconds), width=40)
        left = max(0.0, plan.seconds - progress.elapsed)
        head.add_row(bar, f"{progress.elapsed:.0f} s of {plan.seconds} s, {left:.0f} s left")
    head.add_row("now", f"asked {rate(asked)}, delivered {rate(delivered)}")
    if plan.run:
        due = float(arrivals_until(plan.segments, progress.elapsed))
        head.add_row("so far", f"{due:,.0f} asked, {len(every):,} answered")
    errors = int(np.count_nonzero(every["good"] == 0))
    waited = float(np.mean(every["wait"] > 0)) if len(every) else 0.0
    head.add_row("errors", f"{errors:,} ({share(errors / len(every) if len(every) else 0.0)})")
    head.add_row("waited", f"{share(waited)} of requests, for one of {plan.concurrency} connections")
    return head


def _times(progress: Progress, samples: Samples) -> Table:
    columns = [f"{name} {when}" for when in (f"{_RECENT:.0f} s", "all") for name in ("p50", "p95", "p99")]
    made = table("Latency (ms), of the last seconds and of all", "part", *columns)
    for name in ("total", *TIERS):
        values = [
            *percentiles(part(samples, name), _QUANTILES),
            *percentiles(part(progress.samples, name), _QUANTILES),
        ]
        made.add_row(name, *(milliseconds(value) for value in values), style="bold" if name == "total" else None)
    return made


def describe(plan: LoadPlan | Plan) -> str:
    """Return a plan in words, such as `spike, 50/s to 500/s, 60 s, 20 connections`."""
    course = f"{plan.rps}/s" if plan.profile in ("constant", "soak") else f"{plan.rps}/s to {plan.peak}/s"
    return f"{plan.profile}, {course}, {plan.seconds} s, {plan.concurrency} connections"
