"""What got worse from one run, or set of repeats, to another, and whether that exceeds chance."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from statistics import median
from typing import Literal

import numpy as np
import numpy.typing as npt

from measure.analysis.gates import DELIVERED_SHARE, ERROR_RATE, SHARES
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
# Bins of 2 % from a microsecond to 100 s: resampling needs counts per bin and second, not every time.
_EDGES = np.concatenate([[-np.inf], np.geomspace(0.001, 100_000, 931)])
_MIDDLES = np.concatenate([[0.0], np.sqrt(_EDGES[1:-1] * _EDGES[2:]), [_EDGES[-1]]])

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
        if self.chance is None:
            return "unknown"
        change = self.after - self.before
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
        runs: How many runs each side has.
    """

    changes: list[FigureChange]
    notes: list[str]
    runs: tuple[int, int]

    @property
    def worse(self) -> list[FigureChange]:
        """What got worse beyond chance."""
        return [one for one in self.changes if one.finding == "worse"]


def compare(before: Sequence[MeasuredRun], after: Sequence[MeasuredRun]) -> RunComparison:
    """Compare two sides, each one run or the repeats of one."""
    sides = [[run.summary for run in side] for side in (before, after)]
    notes = _caveats(*sides)
    repeated = all(len(side) >= _REPEATS for side in sides)
    if not repeated:
        notes.append(
            "With fewer than three runs on a side, chance is estimated from the seconds within each run. Differences "
            "from run to run (noisy neighbours, caches, placement) stay invisible: use --repeat 3 on both sides."
        )
    resampled = [] if repeated else [_resample(side) for side in (before, after)]
    changes = []
    for figure, read in _FIGURES.items():
        values = [[value for one in side if (value := read(one)) is not None] for side in sides]
        if not all(values) or (repeated and any(len(one) < _REPEATS for one in values)):
            continue
        if not _enough_requests(figure, [*sides[0], *sides[1]]):
            chance = None
        elif repeated:
            chance = max(max(one) - min(one) for one in values)  # the wider side's spread counts for both
        else:
            drawn = [draws[figure] for draws in resampled if figure in draws]
            chance = math.hypot(*map(_half_width, drawn)) if len(drawn) == len(sides) else None
        changes.append(FigureChange(figure, median(values[0]), median(values[1]), chance))
    unknown = [one.figure for one in changes if one.finding == "unknown"]
    if unknown:
        notes.append(f"Too few requests to tell: {', '.join(unknown)}.")
    return RunComparison(changes, notes, (len(before), len(after)))


def _caveats(before: list[Summary], after: list[Summary]) -> list[str]:
    """Return where the sides had different load, or ended early."""
    first, second = (asdict(replace(side[0].plan, run="")) for side in (before, after))
    differs = [f"{name} {first[name]} and {second[name]}" for name in first if first[name] != second[name]]
    notes = [f"Different load: {', '.join(differs)}."] if differs else []
    early = [one.run.id for one in (*before, *after) if one.verdict.outcome not in ("passed", "failed")]
    if early:
        notes.append(f"Ended early: {', '.join(early)}.")
    return notes


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
    if not len(sent):
        return {}
    drawn = random.multinomial(len(sent), np.full(len(sent), 1 / len(sent)), size=_DRAWS).astype(np.float32)
    figures: dict[str, npt.NDArray[np.float64]] = {
        ERROR_RATE: (drawn @ errors / np.maximum(drawn @ sent, 1.0)).astype(np.float64),
        # What was not sent belongs to no second, so that its share has no spread.
        DELIVERED_SHARE: np.zeros(_DRAWS),
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
        sent: All requests.
    """

    histograms: dict[str, Counts]
    errors: Counts
    sent: Counts

    @classmethod
    def of(cls, samples: Samples) -> _Seconds:
        second = (samples["due"] / 1000).astype(np.int64)
        rows = int(second.max()) + 1 if len(second) else 0
        sent = is_sent(samples)
        return cls(
            histograms={name: _histogram(latencies(samples, name), second, rows) for name in _PARTS},
            errors=np.bincount(second[sent & (samples["good"] == 0)], minlength=rows).astype(np.float32),
            sent=np.bincount(second[sent], minlength=rows).astype(np.float32),
        )


def _histogram(times: npt.NDArray[np.float64], second: npt.NDArray[np.int64], rows: int) -> Counts:
    known = ~np.isnan(times)
    bins = np.searchsorted(_EDGES[1:], times[known], side="right")
    flat = np.bincount(second[known] * len(_MIDDLES) + bins, minlength=rows * len(_MIDDLES))
    return flat.reshape(rows, len(_MIDDLES)).astype(np.float32)


def _half_width(values: npt.NDArray[np.float64]) -> float:
    """Return half the width of the central 99.5 %: with so many figures, none should raise a false alarm."""
    low, high = np.percentile(values, [0.25, 99.75])
    return float(high - low) / 2
