"""How much of the scheduled load was sent, how evenly, and how it was answered."""

from __future__ import annotations

from collections import Counter

import numpy as np

from measure.analysis.causes import busy
from measure.analysis.samples import Samples
from measure.analysis.statistics import ratio
from measure.summary import Delivery

_BIN = 10.0  # ms
_BINS = 100  # per second: within a second, a ramp's planned change of the rate doesn't count as bursts


def delivery(samples: Samples, *, scheduled: int, shortfall: str | None) -> Delivery:
    """Return the delivery of a run."""
    count = len(samples)
    failed = samples[samples["good"] == 0]
    waited = int(np.count_nonzero(samples["wait"] > 0))
    mean, most = busy(samples)
    return Delivery(
        scheduled=scheduled,
        sent=count,
        delivered_share=ratio(count, scheduled),
        succeeded=count - len(failed),
        errors=len(failed),
        error_rate=ratio(len(failed), count),
        errors_by=_errors_by(failed),
        waited=waited,
        waited_share=ratio(waited, count),
        busy_mean=mean,
        busy_max=most,
        burstiness=burstiness(samples),
        shortfall=shortfall,
    )


def _errors_by(failed: Samples) -> dict[str, int]:
    names: Counter[str] = Counter()
    pairs, counts = np.unique(failed[["status", "error"]], return_counts=True)
    for (status, error), count in zip(pairs.tolist(), counts.tolist(), strict=True):
        names[f"HTTP {status}" if status else f"no response, k6 error {error}"] += count
    return dict(names.most_common())


def burstiness(samples: Samples) -> float | None:
    """Return the variance-to-mean ratio of requests sent per 10 ms, taken within each second.

    0 is evenly spaced, 1 is Poisson, more is bursts. None for less than a second.
    """
    if not len(samples):
        return None
    bins = np.bincount(np.maximum(samples["sent"] / _BIN, 0.0).astype(np.int64))
    seconds = bins[: len(bins) // _BINS * _BINS].reshape(-1, _BINS)
    mean = float(seconds.mean(axis=1).sum()) if len(seconds) else 0.0
    return float(seconds.var(axis=1).sum()) / mean if mean else None
