"""A run second by second."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import accumulate

import numpy as np
import numpy.typing as npt

from cloudinit.load_plan import LoadPlan, Segment
from measure.analysis.samples import PARTS, Samples, part
from measure.analysis.statistics import percentiles

_PERCENTILES = {"p50": 500, "p95": 950, "p99": 990}
Timeline = dict[str, npt.NDArray[np.float64]]
"""Columns: `second`, `scheduled`, `sent`, `succeeded`, `errors`, and `<part>_<percentile>` in ms, NaN if unknown.

`sent` counts requests by send time. All other columns use the scheduled time: that is when a user would have waited.
"""


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


def timeline(samples: Samples, plan: LoadPlan) -> Timeline:
    """Return the timeline of a run, up to the end of its plan or its last scheduled request."""
    due = (samples["due"] / 1000).astype(np.int64)
    rows = min(plan.seconds, int(due.max()) + 1 if len(due) else 1)
    good = samples["good"] == 1
    columns: Timeline = {
        "second": np.arange(rows, dtype=np.float64),
        "scheduled": np.diff(scheduled_until(plan.segments, np.arange(rows + 1))),
        "sent": _counts((samples["sent"] / 1000).astype(np.int64), rows),
        "succeeded": _counts(due[good], rows),
        "errors": _counts(due[~good], rows),
    }
    order = np.argsort(due, kind="stable")
    edges = np.searchsorted(due[order], np.arange(rows + 1))
    for name in ("total", *PARTS):
        times = part(samples, name)[order]
        table = np.array(
            [percentiles(times[edges[row] : edges[row + 1]], list(_PERCENTILES.values())) for row in range(rows)],
            dtype=np.float64,
        )
        columns |= {f"{name}_{label}": table[:, index] for index, label in enumerate(_PERCENTILES)}
    return columns


def _counts(seconds: npt.NDArray[np.int64], rows: int) -> npt.NDArray[np.float64]:
    inside = seconds[(seconds >= 0) & (seconds < rows)]
    return np.bincount(inside, minlength=rows).astype(np.float64)
