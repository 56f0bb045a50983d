"""The schedule: when each request of a plan is due, and the requests that were never sent."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import accumulate

import numpy as np
import numpy.typing as npt

from cloudinit.load_plan import LoadPlan, Segment, arrivals
from measure.analysis.samples import SAMPLE, Samples, Times


def scheduled_until(segments: Iterable[Segment], seconds: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Return how many requests are scheduled before each of the given times, as the integral of the rate.

    Args:
        segments: The scheduled rate.
        seconds: Times since the start of the run.
    """
    parts = list(segments)
    starts = accumulate((segment.seconds for segment in parts), initial=0.0)
    times = np.asarray(seconds, dtype=np.float64)
    scheduled = np.zeros_like(times)
    for segment, start in zip(parts, starts, strict=False):
        inside = np.clip(times - start, 0.0, segment.seconds)
        scheduled += segment.begin * inside + (segment.end - segment.begin) * inside**2 / (2 * segment.seconds)
    return scheduled


def due_times(segments: Iterable[Segment], numbers: npt.NDArray[np.int64]) -> Times:
    """Return when requests are scheduled, in milliseconds since the start: the inverse of `scheduled_until`."""
    due = np.zeros(len(numbers))
    first = start = 0.0
    for segment in segments:
        slope = (segment.end - segment.begin) / segment.seconds
        count = np.maximum(numbers - first, 0.0)
        # The quadratic formula in the form that doesn't divide by the slope, which may be 0.
        root = np.sqrt(np.maximum(segment.begin**2 + 2 * slope * count, 0.0))
        into = np.minimum(2 * count / (segment.begin + root), segment.seconds)
        due = np.where(numbers >= first, start + into, due)
        start += segment.seconds
        first += segment.seconds * (segment.begin + segment.end) / 2
    return due * 1000


def never_sent(plan: LoadPlan, numbers: npt.NDArray[np.int64]) -> Samples:
    """Return samples of requests that were never sent: all that is known is when they were due."""
    rows = np.zeros(len(numbers), dtype=SAMPLE)
    for name in SAMPLE.names or ():
        if SAMPLE[name].kind == "f":
            rows[name] = np.nan
    rows["number"], rows["due"] = numbers, due_times(plan.segments, numbers)
    return rows


def with_unsent(samples: Samples, plan: LoadPlan, scheduled: int) -> Samples:
    """Return the samples of all scheduled requests.

    Args:
        samples: Those that were sent.
        plan: The plan.
        scheduled: How many requests were scheduled until the run ended.
    """
    missing = np.setdiff1d(np.arange(arrivals(plan.segments)), samples["number"])
    return np.concatenate([samples, never_sent(plan, missing[: scheduled - len(samples)])])
