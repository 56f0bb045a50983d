"""A run second by second."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cloudinit.load_plan import LoadPlan
from measure.analysis.samples import PARTS, Samples, is_sent, latencies
from measure.analysis.schedule import scheduled_until
from measure.analysis.statistics import percentiles

_PERCENTILES = {"p50": 500, "p95": 950, "p99": 990}
Timeline = dict[str, npt.NDArray[np.float64]]
"""Columns: `second`, `scheduled`, `sent`, `succeeded`, `errors`, `unsent`, and `<part>_<percentile>` in ms.

A percentile is infinite if it is that of an unanswered request, and NaN if unknown. `sent` counts requests by send
time. All other columns use the scheduled time: that is when a user would have waited.
"""


def timeline(samples: Samples, plan: LoadPlan) -> Timeline:
    """Return the timeline of all scheduled requests, up to the end of the plan or the last of them."""
    due = (samples["due"] / 1000).astype(np.int64)
    rows = min(plan.seconds, int(due.max()) + 1 if len(due) else 1)
    sent, good = is_sent(samples), samples["good"] == 1
    columns: Timeline = {
        "second": np.arange(rows, dtype=np.float64),
        "scheduled": np.diff(scheduled_until(plan.segments, np.arange(rows + 1))),
        "sent": _counts((samples["sent"][sent] / 1000).astype(np.int64), rows),
        "succeeded": _counts(due[good], rows),
        "errors": _counts(due[sent & ~good], rows),
        "unsent": _counts(due[~sent], rows),
    }
    order = np.argsort(due, kind="stable")
    edges = np.searchsorted(due[order], np.arange(rows + 1))
    for name in ("total", *PARTS):
        times = latencies(samples, name)[order]
        table = np.array(
            [percentiles(times[edges[row] : edges[row + 1]], list(_PERCENTILES.values())) for row in range(rows)],
            dtype=np.float64,
        )
        columns |= {f"{name}_{label}": table[:, index] for index, label in enumerate(_PERCENTILES)}
    return columns


def _counts(seconds: npt.NDArray[np.int64], rows: int) -> npt.NDArray[np.float64]:
    inside = seconds[(seconds >= 0) & (seconds < rows)]
    return np.bincount(inside, minlength=rows).astype(np.float64)
