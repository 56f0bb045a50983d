"""Whether the asked load was sent, how evenly, and whether each request's times are possible."""

from __future__ import annotations

from collections import Counter

import numpy as np

from measure.analysis.samples import Samples, Times
from measure.analysis.statistics import percentiles
from measure.summary import Delivery, Invariants

_ROUNDING = 0.0015  # ms: two times of three decimals each
_BIN = 10.0  # ms
_BLOCK = 100  # bins in a second: a rate that changes by plan over a run is even all the same


def delivery(samples: Samples, *, asked: int, problem: str | None) -> Delivery:
    """Return the numbers of a run's delivery."""
    count = len(samples)
    bad = samples[samples["good"] == 0]
    waited = int(np.count_nonzero(samples["wait"] > 0))
    mean, most = busy(samples)
    return Delivery(
        asked=asked,
        sent=count,
        delivered_share=count / asked if asked else 0.0,
        good=count - len(bad),
        errors=len(bad),
        error_rate=len(bad) / count if count else 0.0,
        errors_by=errors_by(bad),
        waited=waited,
        waited_share=waited / count if count else 0.0,
        busy_mean=mean,
        busy_max=most,
        lateness_p99=percentiles(lateness(samples), [990])[0],
        evenness=evenness(samples),
        problem=problem,
    )


def errors_by(bad: Samples) -> dict[str, int]:
    """Count errors by what came in place of the right answer."""
    names: Counter[str] = Counter()
    pairs, counts = np.unique(bad[["status", "error"]], return_counts=True)
    for (status, error), count in zip(pairs.tolist(), counts.tolist(), strict=True):
        names[f"HTTP {status}" if status else f"no answer, k6 error {error}"] += count
    return dict(names.most_common())


def lateness(samples: Samples) -> Times:
    """Return the generator's own delay of each request in ms, which is no wait for a connection."""
    times: Times = np.maximum(samples["sent"] - samples["due"] - samples["wait"], 0.0)
    return times


def busy(samples: Samples) -> tuple[float, int]:
    """Return how many connections had a request under way: on average between first and last, and at most."""
    if not len(samples):
        return 0.0, 0
    # A connection that ends a request and begins the next at once is one connection, however the times were rounded.
    begins, ends = np.sort(samples["sent"]), np.sort(samples["sent"] + samples["client"]) - _ROUNDING
    span = float(ends[-1] - begins[0])
    under_way = np.arange(1, len(begins) + 1) - np.searchsorted(ends, begins, side="right")
    return (float(samples["client"].sum()) / span if span else 0.0), int(under_way.max())


def evenness(samples: Samples) -> float | None:
    """Return variance over mean of the number of requests sent in each 10 ms, taken within whole seconds.

    0 is a clock, 1 is Poisson's, more is bursts. None for less than a second.
    """
    if not len(samples):
        return None
    bins = np.bincount(np.maximum(samples["sent"] / _BIN, 0.0).astype(np.int64))
    blocks = bins[: len(bins) // _BLOCK * _BLOCK].reshape(-1, _BLOCK)
    mean = float(blocks.mean(axis=1).sum()) if len(blocks) else 0.0
    return float(blocks.var(axis=1).sum()) / mean if mean else None


def invariants(samples: Samples) -> Invariants:
    """Count the requests of which each tier's time is no longer than that of the tier before it."""
    told = samples[~(np.isnan(samples["app"]) | np.isnan(samples["db"]))]
    client, application, database = told["client"], told["app"], told["db"]
    inside = database + np.nan_to_num(told["pool"]) + np.nan_to_num(told["database_connect"])
    held = (client >= application) & (application >= database) & (application >= inside - _ROUNDING)
    return Invariants(requests=len(told), held=int(np.count_nonzero(held)))
