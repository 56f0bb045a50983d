"""A run second by second."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cloudinit.load_plan import Segment
from measure.analysis.samples import TIERS, Samples, part
from measure.analysis.statistics import percentiles
from measure.run.plan import arrivals_until

PERCENTILES = {"p50": 500, "p95": 950, "p99": 990}
PARTS = ("total", *TIERS)
Timeline = dict[str, npt.NDArray[np.float64]]
"""Columns by name: `second`, `asked`, `sent`, `good`, `errors`, and `<part>_<percentile>` in ms, NaN without a request.

`sent` counts the requests that began in the second, whenever they were due. All others belong to the second in which
they were due: that is when somebody wanted an answer.
"""


def timeline(samples: Samples, course: tuple[Segment, ...], seconds: int) -> Timeline:
    """Return the columns of a run's timeline.

    Args:
        samples: the run's requests.
        course: the rate that was asked for.
        seconds: how many rows; what lies beyond is left out.
    """
    due = (samples["due"] / 1000).astype(np.int64)
    sent = (samples["sent"] / 1000).astype(np.int64)
    good = samples["good"] == 1
    columns: Timeline = {
        "second": np.arange(seconds, dtype=np.float64),
        "asked": np.diff(arrivals_until(course, np.arange(seconds + 1))),
        "sent": _counts(sent, seconds),
        "good": _counts(due[good], seconds),
        "errors": _counts(due[~good], seconds),
    }
    order = np.argsort(due, kind="stable")
    edges = np.searchsorted(due[order], np.arange(seconds + 1))
    for name in PARTS:
        times = part(samples, name)[order]
        rows = [
            percentiles(times[edges[second] : edges[second + 1]], list(PERCENTILES.values()))
            for second in range(seconds)
        ]
        table = np.array(rows, dtype=np.float64).reshape(seconds, len(PERCENTILES))
        columns |= {f"{name}_{label}": table[:, index] for index, label in enumerate(PERCENTILES)}
    return columns


def _counts(seconds: npt.NDArray[np.int64], rows: int) -> npt.NDArray[np.float64]:
    inside = seconds[(seconds >= 0) & (seconds < rows)]
    return np.bincount(inside, minlength=rows).astype(np.float64)
