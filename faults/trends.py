"""Trends: whether what should be constant grows, by Theil and Sen's robust slope."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

LEAST_POINTS = 4


@dataclass(frozen=True, slots=True)
class Bound:
    """How much a figure may grow in the judged time.

    Attributes:
        least: In its own unit.
        share: As a share of its median, if that is more.
    """

    least: float
    share: float = 0.0


@dataclass(frozen=True, slots=True)
class Trend:
    """The growth of a figure in the judged time.

    Attributes:
        growth: The slope times the length of that time.
        allowed: The bound on it.
        median: The figure's median in it.
    """

    growth: float
    allowed: float
    median: float

    @property
    def grows(self) -> bool:
        """Whether the bound is broken."""
        return self.growth > self.allowed


def slope(times: Sequence[float], values: Sequence[float]) -> float:
    """Return the median of the slopes between all pairs of points: up to 29 % of them may be outliers."""
    x, y = np.asarray(times, dtype=float), np.asarray(values, dtype=float)
    first, second = np.triu_indices(len(x), k=1)
    return float(np.median((y[second] - y[first]) / (x[second] - x[first])))


def trend(times: Sequence[float], values: Sequence[float], bound: Bound, since: float) -> Trend | None:
    """Return the trend of a figure; None with too few points.

    Args:
        times: Times, increasing.
        values: The figure at each of them.
        bound: How much it may grow.
        since: Time from which on it is judged: until then, caches fill.
    """
    judged = [(time, value) for time, value in zip(times, values, strict=True) if time >= since]
    if len(judged) < LEAST_POINTS:
        return None
    late, figures = zip(*judged, strict=True)
    median = float(np.median(figures))
    return Trend(slope(late, figures) * (late[-1] - late[0]), max(bound.least, bound.share * median), median)
