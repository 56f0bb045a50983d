"""What got worse from one run, or set of repeats, to another, and whether that exceeds chance."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from statistics import median
from typing import Literal

import numpy as np
import numpy.typing as npt

from measure.analysis.gates import DELIVERED_SHARE, ERROR_RATE, SHARES, describe_failures
from measure.analysis.samples import PARTS, Samples, is_sent, latencies
from measure.analysis.statistics import needed
from measure.summary import Summary

_REPEATS = 3  # runs on each side from which their own spread is known
_LEAST = 0.05  # smaller relative changes don't matter
_LEAST_MS = 0.05
_LEAST_SHARE = 0.0005
_PARTS = ("total", *PARTS)
_QUANTILES = {"p50": 0.5, "p95": 0.95, "p99": 0.99, "p999": 0.999}
_DRAWS = 1000
# Bins of 2 % from a microsecond to a day: resampling needs counts per bin and second, not every time.
_EDGES = np.concatenate([[-np.inf], np.geomspace(0.001, 86_400_000, 1272)])
_MIDDLES = np.concatenate([[0.0], np.sqrt(_EDGES[1:-1] * _EDGES[2:]), [np.inf]])

Finding = Literal["worse", "better", "same", "unknown"]
Counts = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class MeasuredRun:
    """A run that has been measured.

    Attributes:
        summary: Its summary.
        samples: Reads its samples.
    """

    summary: Summary
    samples: Callable[[], Samples]


@dataclass(frozen=True, slots=True)
class FigureChange:
    """One figure on both sides.

    Attributes:
        figure: Its name, such as `total p99` or `error_rate`.
        before: The median of the first side's runs.
        after: The median of the second side's runs.
        chance: The largest difference that chance explains; None if there are too few requests to tell.
    """

    figure: str
    before: float
    after: float
    chance: float | None

    @property
    def finding(self) -> Finding:
        """What the change amounts to."""
        change = self.after - self.before
        # Infinite: whether the percentile was answered at all is up to chance, or it was on neither side.
        if self.chance is None or math.isinf(self.chance) or math.isnan(change):
            return "unknown"
        least = _LEAST_SHARE if self.figure in SHARES else max(_LEAST_MS, _LEAST * self.before)
        if abs(change) <= self.chance or abs(change) < least:
            return "same"
        more_is_worse = self.figure != DELIVERED_SHARE
        return "worse" if (change > 0) == more_is_worse else "better"


@dataclass(frozen=True, slots=True)
class RunComparison:
    """Two sides compared.

    Attributes:
        changes: Each figure that both sides have.
        notes: Caveats, in words.
        obstacles: Why the sides can't be compared, in words; empty if they can.
        runs: How many runs each side has.
    """

    changes: list[FigureChange]
    notes: list[str]
    obstacles: list[str]
    runs: tuple[int, int]

    @property
    def worse(self) -> list[FigureChange]:
        """What got worse beyond chance."""
        return [one for one in self.changes if one.finding == "worse"]

    @property
    def unknown(self) -> list[FigureChange]:
        """What can't be told."""
        return [one for one in self.changes if one.finding == "unknown"]


def compare(before: Sequence[MeasuredRun], after: Sequence[MeasuredRun]) -> RunComparison:
    """Compare two sides, each one run or the repeats of one."""
    sides = [[run.summary for run in side] for side in (before, after)]
    every = [*sides[0], *sides[1]]
    notes, obstacles = [], [*_different_load(every), *_ended_early(every)]
    repeated = all(len(side) >= _REPEATS for side in sides)
    if not repeated:
        notes.append(
            "With fewer than three runs on a side, chance is estimated from the seconds within each run. Differences "
            "from run to run (noisy neighbours, caches, placement) stay invisible: use --repeat 3 on both sides."
        )
    resampled = [] if repeated else [_resample(side) for side in (before, after)]
    found = RunComparison(_changes(sides, resampled), notes, obstacles, (len(before), len(after)))
    if obstacles:
        return found
    if not found.worse:
        obstacles += _broken(every)
    if found.unknown:
        figures = ", ".join(one.figure for one in found.unknown)
        (notes if found.worse else obstacles).append(f"too few requests or answers to tell: {figures}")
    return found


def _changes(sides: list[list[Summary]], resampled: list[dict[str, npt.NDArray[np.float64]]]) -> list[FigureChange]:
    """Return each figure's change.

    Args:
        sides: The summaries of both sides.
        resampled: What each figure would be in resampled runs, by side; empty if repeats tell their own spread.
    """
    every = [*sides[0], *sides[1]]
    changes = []
    for figure, read in _FIGURES.items():
        values = [[value for one in side if (value := read(one)) is not None] for side in sides]
        enough = _enough_requests(figure, every)
        if not any(values) or (not enough and figure.endswith("p999")):
            continue
        chance = None
        if enough and all(values):
            drawn = [_half_width(draws[figure]) for draws in resampled if figure in draws]
            # Of repeats, the wider side's spread counts for both.
            chance = math.hypot(*drawn) if resampled else max(map(_spread, values))
            chance = None if len(drawn) < len(resampled) else chance
        medians = [median(one) if one else math.nan for one in values]
        changes.append(FigureChange(figure, medians[0], medians[1], chance))
    return changes


def _load(summary: Summary) -> tuple[object, ...]:
    """Return what has to be the same in runs that are compared."""
    plan = summary.plan
    steps = len(summary.stress.steps) if summary.stress else 0
    return plan.segments, plan.concurrency, plan.accounts, plan.mix, steps


def _different_load(summaries: Sequence[Summary]) -> list[str]:
    first = summaries[0]
    for other in summaries[1:]:
        if _load(first) != _load(other):
            one, two = (asdict(replace(each.plan, run="")) for each in (first, other))
            differs = [f"{name} {one[name]} and {two[name]}" for name in one if one[name] != two[name]]
            return [f"different load: {', '.join(differs) or 'the stress runs ended at different steps'}"]
    return []


def _ended_early(summaries: Sequence[Summary]) -> list[str]:
    early = [f"{one.run.id} ({one.verdict.outcome})" for one in summaries]
    kept = [name for name, one in zip(early, summaries, strict=True) if one.verdict.outcome not in ("passed", "failed")]
    return [f"ended early: {', '.join(kept)}"] if kept else []


def _broken(summaries: Sequence[Summary]) -> list[str]:
    """Return which runs failed by their errors or their delivery; a stress run ends that way."""
    failed = [
        f"{one.run.id} ({describe_failures(gates)})"
        for one in summaries
        if one.stress is None
        and (gates := [gate for gate in one.verdict.gates if gate.gate in SHARES and not gate.passed])
    ]
    return [f"failed: {', '.join(failed)}"] if failed else []


def _enough_requests(figure: str, summaries: Sequence[Summary]) -> bool:
    """Return whether every run has enough requests for a percentile to be more than a single request's time."""
    name, _, percentile = figure.partition(" ")
    if not percentile:
        return True
    return all(name in one.latency and one.latency[name].count >= needed(percentile) for one in summaries)


def _reader(name: str, percentile: str) -> Callable[[Summary], float | None]:
    def read(summary: Summary) -> float | None:
        one = summary.latency.get(name)
        return None if one is None else float(getattr(one, percentile))

    return read


_FIGURES: dict[str, Callable[[Summary], float | None]] = {
    **{f"{name} {percentile}": _reader(name, percentile) for name in _PARTS for percentile in _QUANTILES},
    ERROR_RATE: lambda summary: summary.delivery.error_rate,
    DELIVERED_SHARE: lambda summary: summary.delivery.delivered_share,
}
"""How to read each compared figure from a summary."""


def _resample(runs: Sequence[MeasuredRun]) -> dict[str, npt.NDArray[np.float64]]:
    """Return what each figure would be in many runs made of these runs' seconds, drawn with replacement."""
    random = np.random.default_rng(1)
    seconds = [_Seconds.of(run.samples()) for run in runs]
    sent = np.concatenate([one.sent for one in seconds])
    errors = np.concatenate([one.errors for one in seconds])
    scheduled = np.concatenate([one.scheduled for one in seconds])
    if not len(sent):
        return {}
    drawn = random.multinomial(len(sent), np.full(len(sent), 1 / len(sent)), size=_DRAWS).astype(np.float32)
    figures: dict[str, npt.NDArray[np.float64]] = {
        ERROR_RATE: (drawn @ errors / np.maximum(drawn @ sent, 1.0)).astype(np.float64),
        DELIVERED_SHARE: (drawn @ sent / np.maximum(drawn @ scheduled, 1.0)).astype(np.float64),
    }
    for name in _PARTS:
        below = np.cumsum(drawn @ np.concatenate([one.histograms[name] for one in seconds]), axis=1)
        if below[:, -1].all():
            for label, quantile in _QUANTILES.items():
                figures[f"{name} {label}"] = _MIDDLES[np.argmax(below >= quantile * below[:, -1:], axis=1)]
    return figures


@dataclass(frozen=True, slots=True)
class _Seconds:
    """Counts per second (rows) of a run, by scheduled time.

    Attributes:
        histograms: By part, the requests in each bin of time.
        errors: Requests without the expected response.
        sent: Requests that were sent.
        scheduled: All requests.
    """

    histograms: dict[str, Counts]
    errors: Counts
    sent: Counts
    scheduled: Counts

    @classmethod
    def of(cls, samples: Samples) -> _Seconds:
        second = (samples["due"] / 1000).astype(np.int64)
        rows = int(second.max()) + 1 if len(second) else 0
        sent = is_sent(samples)
        return cls(
            histograms={name: _histogram(latencies(samples, name), second, rows) for name in _PARTS},
            errors=np.bincount(second[sent & (samples["good"] == 0)], minlength=rows).astype(np.float32),
            sent=np.bincount(second[sent], minlength=rows).astype(np.float32),
            scheduled=np.bincount(second, minlength=rows).astype(np.float32),
        )


def _histogram(times: npt.NDArray[np.float64], second: npt.NDArray[np.int64], rows: int) -> Counts:
    known = ~np.isnan(times)
    bins = np.searchsorted(_EDGES[1:], times[known], side="right")
    flat = np.bincount(second[known] * len(_MIDDLES) + bins, minlength=rows * len(_MIDDLES))
    return flat.reshape(rows, len(_MIDDLES)).astype(np.float32)


def _half_width(values: npt.NDArray[np.float64]) -> float:
    """Return half the width of the central 99.5 %: with so many figures, none should raise a false alarm."""
    return _spread(np.percentile(values, [0.25, 99.75], method="nearest").tolist()) / 2


def _spread(values: Sequence[float]) -> float:
    """Return the range of some values; two infinite ones don't differ."""
    low, high = min(values), max(values)
    return 0.0 if low == high else high - low
