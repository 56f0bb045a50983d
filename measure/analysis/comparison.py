"""What got worse from one run, or set of repeats, to another, and whether that is more than chance."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Literal

import numpy as np
import numpy.typing as npt

from measure.analysis.blocks import Blocks
from measure.analysis.gates import DELIVERED_SHARE, ERROR_RATE
from measure.output.results import read_samples, read_summary, runs_in
from measure.summary import Summary

REPEATS = 3
"""Repeats on each side from which their own spread is the measure."""
_LEAST = 0.05  # a change of less than a twentieth is of no interest
_LEAST_MS = 0.05
_LEAST_SHARE = 0.0005
_BEYOND = 10  # requests slower than a percentile that it takes to know it
_PERCENTILES = {"p50": 0.5, "p95": 0.95, "p99": 0.99, "p999": 0.999}
_PARTS = ("total", "wait", "web", "application", "database")
_SHARES = (ERROR_RATE, DELIVERED_SHARE)

Finding = Literal["worse", "better", "same", "unknown"]


@dataclass(frozen=True, slots=True)
class Difference:
    """One figure on both sides.

    Attributes:
        figure: such as `total p99` or `error_rate`.
        before: the first side's, the median of its repeats.
        after: the second side's.
        spread: what the change has to be beyond: a range of differences that chance explains.
        finding: what that means.
    """

    figure: str
    before: float
    after: float
    spread: tuple[float, float]
    finding: Finding


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two sides compared.

    Attributes:
        differences: each figure that both sides have.
        notes: what can't be told, in words.
        runs: how many runs each side has.
    """

    differences: list[Difference]
    notes: list[str]
    runs: tuple[int, int]

    @property
    def worse(self) -> list[Difference]:
        """What got worse beyond chance."""
        return [one for one in self.differences if one.finding == "worse"]


def compare(before: Path, after: Path) -> Comparison:
    """Compare two directories, each a run or the repeats of one.

    Raises:
        WrongUsageError: one of them holds no run.
    """
    directories = runs_in(before), runs_in(after)
    sides = [[read_summary(path) for path in side] for side in directories]
    notes = _unlike(sides[0], sides[1])
    if all(len(side) >= REPEATS for side in sides):
        differences = _of_repeats(sides[0], sides[1])
    else:
        differences = _of_seconds(sides, [[Blocks.of(read_samples(path)) for path in side] for side in directories])
        notes.append(
            "With fewer than three runs on a side, chance is judged by the seconds inside of the runs. What differs "
            "from one run to the next (neighbours, caches, placement) can't be told: use --repeat 3 on both sides."
        )
    unknown = [one.figure for one in differences if one.finding == "unknown"]
    if unknown:
        notes.append(f"Too few requests to tell: {', '.join(unknown)}.")
    return Comparison(differences, notes, (len(sides[0]), len(sides[1])))


def _unlike(before: list[Summary], after: list[Summary]) -> list[str]:
    """Say where the sides were not asked for the same, or did not end well."""
    plans = [
        {key: value for key, value in one[0].plan.model_dump().items() if key != "segments"} for one in (before, after)
    ]
    differs = [f"{key} {plans[0][key]} and {plans[1][key]}" for key in plans[0] if plans[0][key] != plans[1][key]]
    notes = [f"Not the same load: {', '.join(differs)}."] if differs else []
    early = [one.run.id for one in (*before, *after) if one.verdict.outcome not in ("passed", "failed")]
    if early:
        notes.append(f"Ended early: {', '.join(early)}.")
    return notes


def _of_repeats(before: list[Summary], after: list[Summary]) -> list[Difference]:
    differences = []
    for figure, read in _figures().items():
        values = [[value for one in side if (value := read(one)) is not None] for side in (before, after)]
        if all(len(one) >= REPEATS for one in values):
            first, second = (median(one) for one in values)
            # Repeats of the same thing differ by this; the wider side counts for both.
            spread = max(max(one) - min(one) for one in values)
            finding = _finding(figure, first, second, (-spread, spread))
            if not _all_requests_known(figure, [*before, *after]):
                finding = "unknown"
            differences.append(Difference(figure, first, second, (-spread, spread), finding))
    return differences


def _of_seconds(sides: list[list[Summary]], blocks: list[list[Blocks]]) -> list[Difference]:
    """Compare by drawing each side's seconds again and again: what then differs, differs by chance."""
    random = np.random.default_rng(1)
    drawn = [Blocks.together(side).draw(random) for side in blocks]
    differences = []
    for figure, read in _figures().items():
        values = [[value for one in side if (value := read(one)) is not None] for side in sides]
        if not all(values):
            continue
        first, second = (median(one) for one in values)
        known = figure in drawn[0] and figure in drawn[1]
        if not known or not _all_requests_known(figure, [*sides[0], *sides[1]]):
            differences.append(Difference(figure, first, second, (0.0, 0.0), "unknown"))
            continue
        spread = _spread(drawn[0][figure]), _spread(drawn[1][figure])
        width = float(np.hypot(*spread))
        differences.append(
            Difference(figure, first, second, (-width, width), _finding(figure, first, second, (-width, width)))
        )
    return differences


def _spread(values: npt.NDArray[np.float64]) -> float:
    """Return half of the width that holds 99.5 % of values: of many figures, none should raise a false alarm."""
    low, high = np.percentile(values, [0.25, 99.75])
    return float(high - low) / 2


def _finding(figure: str, before: float, after: float, spread: tuple[float, float]) -> Finding:
    change = after - before
    least = _LEAST_SHARE if figure in _SHARES else max(_LEAST_MS, _LEAST * before)
    if spread[0] <= change <= spread[1] or abs(change) < least:
        return "same"
    more_is_worse = figure != DELIVERED_SHARE
    return "worse" if (change > 0) == more_is_worse else "better"


def _all_requests_known(figure: str, summaries: Sequence[Summary]) -> bool:
    """Return whether every run has enough requests for a percentile to be more than a single one's time."""
    part, _, percentile = figure.partition(" ")
    if not percentile:
        return True
    needed = _BEYOND / (1 - _PERCENTILES[percentile])
    return all(part in one.latency and one.latency[part].count >= needed - 1 for one in summaries)


def _figures() -> dict[str, Callable[[Summary], float | None]]:
    """Return how to read each figure that is compared from a summary."""
    figures: dict[str, Callable[[Summary], float | None]] = {
        f"{part} {percentile}": _reader(part, percentile) for part in _PARTS for percentile in _PERCENTILES
    }
    figures[ERROR_RATE] = lambda summary: summary.delivery.error_rate
    figures[DELIVERED_SHARE] = lambda summary: summary.delivery.delivered_share
    return figures


def _reader(part: str, percentile: str) -> Callable[[Summary], float | None]:
    def read(summary: Summary) -> float | None:
        one = summary.latency.get(part)
        return None if one is None else float(getattr(one, percentile))

    return read
