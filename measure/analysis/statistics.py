"""Percentiles of times, and what each part of a request has in the whole."""

from __future__ import annotations

import numpy as np

from measure.analysis.samples import LEAVES, Samples, Times, part
from measure.summary import Distribution, KindSummary, Share

QUANTILES = {"p50": 500, "p90": 900, "p95": 950, "p99": 990, "p999": 999}
"""In thousandths."""
PARTS = ("total", "wait", "web", "application", "code", "pool", "database_connect", "database", "unattributed")
SEEN = {"client": "client", "application": "application seen", "database": "database seen"}
_TAIL = 100  # one in so many requests is one of the slowest


def nearest_rank(count: int, thousandths: int) -> int:
    """Return the index, among so many sorted values, of the smallest one that at least that share is not above."""
    return max(0, -(-thousandths * count // 1000) - 1)


def known(times: Times) -> Times:
    """Return the times that are known."""
    found: Times = times[~np.isnan(times)]
    return found


def percentiles(times: Times, thousandths: list[int]) -> list[float | None]:
    """Return percentiles of the known times by nearest rank, so that each one is a time that was measured."""
    values = known(times)
    if not len(values):
        return [None] * len(thousandths)
    ranks = [nearest_rank(len(values), one) for one in thousandths]
    ordered = np.partition(values, sorted(set(ranks)))
    return [float(ordered[rank]) for rank in ranks]


def distribution(times: Times) -> Distribution | None:
    """Return what the known times are like, None if there are none."""
    values = known(times)
    if not len(values):
        return None
    found = dict(zip(QUANTILES, percentiles(values, list(QUANTILES.values())), strict=True))
    return Distribution.model_validate(
        {"count": len(values), "mean": float(values.mean()), **found, "max": float(values.max())}
    )


def latency(samples: Samples) -> dict[str, Distribution]:
    """Return the distribution of each part that any request has."""
    found = {name: distribution(part(samples, name)) for name in PARTS}
    if not np.isnan(samples["app"]).any():
        del found["unattributed"]
    return {name: one for name, one in found.items() if one is not None}


def latency_seen(samples: Samples) -> dict[str, Distribution]:
    """Return the distribution of whole times as each tier's caller sees them, those of the tiers behind it included."""
    found = {name: distribution(part(samples, source)) for name, source in SEEN.items()}
    return {name: one for name, one in found.items() if one is not None}


def shares(samples: Samples) -> list[Share]:
    """Return what each part has in the total time: on average, in the middle, and in the slowest requests.

    Averages add up to the total's exactly; percentiles of parts don't, because each part has its own slow requests.
    """
    total = part(samples, "total")
    if not len(total):
        return []
    slow = np.argsort(total)[-max(1, len(total) // _TAIL) :]
    found = []
    for name in LEAVES:
        times = np.nan_to_num(part(samples, name), nan=0.0)
        share = Share(
            part=name,
            mean=float(times.mean()),
            share=_ratio(float(times.sum()), float(total.sum())),
            p50=float(percentiles(times, [500])[0] or 0.0),
            tail_mean=float(times[slow].mean()),
            tail_share=_ratio(float(times[slow].sum()), float(total[slow].sum())),
        )
        if name != "unattributed" or share.mean:
            found.append(share)
    return found


def middle_sum(samples: Samples) -> float | None:
    """Return what the parts add up to in the tenth of the requests around the median, as a share of the median.

    Of those requests' averages: medians of skewed parts don't add up, because each part has its own slow requests.
    """
    total = part(samples, "total")
    low, median, high = percentiles(total, [450, 500, 550])
    if low is None or not median or high is None:
        return None
    middle = samples[(total >= low) & (total <= high)]
    return sum(float(np.nan_to_num(part(middle, name), nan=0.0).mean()) for name in LEAVES) / median


def kinds(samples: Samples) -> dict[str, KindSummary]:
    """Return the numbers of each kind of request that was sent."""
    found = {}
    for name in np.unique(samples["kind"]):
        chosen = samples[samples["kind"] == name]
        errors = int(np.count_nonzero(chosen["good"] == 0))
        found[name.decode()] = KindSummary(requests=len(chosen), errors=errors, latency=latency(chosen))
    return found


def _ratio(one: float, whole: float) -> float:
    return one / whole if whole else 0.0
