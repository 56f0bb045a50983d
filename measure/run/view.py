"""A run in progress: a live screen on a terminal, a line every few seconds in a log."""

from __future__ import annotations

import time

import numpy as np
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from cloudinit.load_plan import LoadPlan, arrivals, rate_at
from measure.analysis.recording import Recording
from measure.analysis.samples import PARTS, TIERS, Samples, latencies
from measure.analysis.schedule import scheduled_until
from measure.analysis.statistics import percentiles, ratio
from measure.formatting import describe, milliseconds, rate, share
from measure.output.tables import say, steps_table, table

_LOG_EVERY = 5.0  # seconds
_DRAW_EVERY = 1.0
_RECENT = 5.0
_QUANTILES = [500, 950, 990]


class LogView:
    """One line every few seconds, for a log."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._printed = time.monotonic()
        self._note = ""

    def __enter__(self) -> LogView:
        return self

    def __exit__(self, *_: object) -> None:
        """Keep what was printed."""

    def show(self, recording: Recording, note: str) -> None:
        """Print a new note at once, and a line of figures every few seconds."""
        if note and note != self._note:
            say(self._console, note)
        self._note = note or self._note
        if not note and time.monotonic() - self._printed >= _LOG_EVERY:
            self._printed = time.monotonic()
            say(self._console, line(recording))


class LiveView:
    """Screen that updates in place."""

    def __init__(self, console: Console) -> None:
        self._live = Live(console=console, auto_refresh=False, transient=True)
        self._drawn = 0.0

    def __enter__(self) -> LiveView:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def show(self, recording: Recording, note: str) -> None:
        """Redraw, at most once a second: percentiles of all samples take a while."""
        if time.monotonic() - self._drawn >= _DRAW_EVERY:
            self._drawn = time.monotonic()
            self._live.update(screen(recording, note), refresh=True)


def view(console: Console) -> LiveView | LogView:
    """Return the view for a console."""
    return LiveView(console) if console.is_terminal else LogView(console)


def recent(recording: Recording) -> Samples:
    """Return the requests sent in the last seconds."""
    samples = recording.samples
    if not len(samples):
        return samples
    # Counted back from the latest sample, not from now: requests in flight have no sample yet.
    chosen: Samples = samples[samples["sent"] >= samples["sent"].max() - _RECENT * 1000]
    return chosen


def line(recording: Recording) -> str:
    """Return one line about the last seconds."""
    samples = recent(recording)
    scheduled, delivered = rates(recording, samples)
    parts = {name: percentiles(latencies(samples, name), _QUANTILES) for name in ("total", *TIERS)}
    times = "  ".join(f"{name} {'/'.join(map(milliseconds, values))}" for name, values in parts.items())
    of = f"/{recording.plan.seconds}" if recording.plan.run else ""
    return (
        f"{recording.elapsed:4.0f}{of} s  scheduled {rate(scheduled)} sent {rate(delivered)}  "
        f"p50/p95/p99 ms: {times}  errors {_errors(recording.samples):,}"
    )


def rates(recording: Recording, samples: Samples) -> tuple[float, float]:
    """Return the scheduled rate and the rate of sent requests over the time of some samples, per second."""
    plan, sent = recording.plan, samples["sent"] / 1000
    start, end = (float(sent.min()), float(sent.max())) if len(sent) else (0.0, 0.0)
    if start == end:
        return rate_at(plan.segments, recording.elapsed if plan.run else recording.elapsed % plan.seconds), 0.0
    scheduled = _scheduled(plan, end) - _scheduled(plan, start)
    return scheduled / (end - start), (len(samples) - 1) / (end - start)


def _scheduled(plan: LoadPlan, second: float) -> float:
    """Return how many requests are scheduled before a time; the stack's own plan repeats."""
    if plan.run:
        return float(scheduled_until(plan.segments, second))
    rounds, rest = divmod(second, plan.seconds)
    return rounds * arrivals(plan.segments) + float(scheduled_until(plan.segments, rest))


def _errors(samples: Samples) -> int:
    return int(np.count_nonzero(samples["good"] == 0))


def screen(recording: Recording, note: str) -> Group:
    """Return the live screen."""
    samples = recent(recording)
    pieces: list[RenderableType] = [_head(recording, samples), _latency(recording, samples)]
    if recording.steps is not None and recording.steps.judged:
        pieces.append(steps_table(recording.steps.result(recording.samples)))
    if note:
        pieces.append(Text(note, "yellow"))
    return Group(*pieces)


def _head(recording: Recording, samples: Samples) -> Table:
    plan, every = recording.plan, recording.samples
    scheduled, sent = rates(recording, samples)
    head = Table.grid(padding=(0, 2))
    head.add_row(Text(plan.run or "the stack's own load", "bold"), describe(plan))
    if plan.run:
        bar = ProgressBar(total=plan.seconds, completed=min(recording.elapsed, plan.seconds), width=40)
        left = max(0.0, plan.seconds - recording.elapsed)
        head.add_row(bar, f"{recording.elapsed:.0f} s of {plan.seconds} s, {left:.0f} s left")
    head.add_row("now", f"scheduled {rate(scheduled)}, sent {rate(sent)}")
    if plan.run:
        head.add_row("so far", f"{_scheduled(plan, recording.elapsed):,.0f} scheduled, {len(every):,} answered")
    errors, waited = _errors(every), int(np.count_nonzero(every["wait"] > 0))
    head.add_row("errors", f"{errors:,} ({share(ratio(errors, len(every)))})")
    head.add_row("waited", f"{share(ratio(waited, len(every)))} of requests, for one of {plan.concurrency} connections")
    return head


def _latency(recording: Recording, samples: Samples) -> Table:
    columns = [f"{name} {when}" for when in (f"{_RECENT:.0f} s", "all") for name in ("p50", "p95", "p99")]
    made = table(f"Latency (ms): last {_RECENT:.0f} s, and all", "part", *columns)
    for name in ("total", *PARTS):
        values = [
            one for each in (samples, recording.samples) for one in percentiles(latencies(each, name), _QUANTILES)
        ]
        made.add_row(name, *map(milliseconds, values), style="bold" if name == "total" else None)
    return made
