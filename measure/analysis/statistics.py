"""Figures over many requests: percentiles, the share of each part, consistency, drift."""

from __future__ import annotations

import math

import numpy as np

from cloudinit.load_plan import LoadPlan
from measure.analysis.samples import LEAVES, PARTS, Samples, Times, between, is_sent, latencies, part
from measure.summary import Consistency, Distribution, Drift, KindSummary, Share, SlowRequest

QUANTILES = {"p50": 500, "p90": 900, "p95": 950, "p99": 990, "p999": 999}
"""In thousandths."""
_ENOUGH_ABOVE = 10
ROUNDING = 0.0015  # ms: two times of three decimals each
_LATENCY = ("total", "generator", "wait", "web", "application", *LEAVES[LEAVES.index("code") :])
_FROM_SEND = {"client": "client", "application": "application response", "database": "database response"}
_DRIFT = ("total", *(name for name in LEAVES if name != "unattributed"))
_TAIL = 100  # one request in so many belongs to the slowest
_SLOWEST = 10


def percentiles(times: Times, thousandths: list[int]) -> list[float | None]:
    """Return percentiles of the known times by nearest rank, so that each is a time that was measured."""
    values = times[~np.isnan(times)]
    if not len(values):
        return [None] * len(thousandths)
    ranks = [max(0, -(-one * len(values) // 1000) - 1) for one in thousandths]
    ordered = np.partition(values, sorted(set(ranks)))
    return [float(ordered[rank]) for rank in ranks]


def needed(percentile: str) -> int:
    """Return how many requests a percentile needs to say more than the time of one of them: ten above it.

    By Clopper and Pearson's exact interval (1934) the p99 of 1,000 requests is then, with 95 % confidence, between the
    real p98.2 and p99.5. Of 100 requests it would be any from p94.5 up.
    """
    return -(-_ENOUGH_ABOVE * 1000 // (1000 - QUANTILES[percentile]))


def distribution(times: Times, measured: Times | None = None) -> Distribution | None:
    """Return the distribution of the known times, None if no time is known.

    Args:
        times: Times by request; infinite for those without an answer.
        measured: The times that all requests took, with an answer or without, for the mean; by default the same.
    """
    values = times[~np.isnan(times)]
    if not len(values):
        return None
    took = times if measured is None else measured
    took = took[np.isfinite(took)]
    found = dict(zip(QUANTILES, percentiles(values, list(QUANTILES.values())), strict=True))
    return Distribution.model_validate(
        {
            "count": len(values),
            "unanswered": int(np.count_nonzero(np.isinf(values))),
            "mean": float(took.mean()) if len(took) else None,
            **found,
            "max": float(values.max()),
        }
    )


def latency(samples: Samples) -> dict[str, Distribution]:
    """Return the distribution over all scheduled requests of each part that any of them has."""
    found = {name: distribution(latencies(samples, name), part(samples, name)) for name in _LATENCY}
    if not np.isnan(samples["app"][is_sent(samples)]).any():
        del found["unattributed"]
    return {name: one for name, one in found.items() if one is not None}


def latency_from_send(samples: Samples) -> dict[str, Distribution]:
    """Return the distribution of whole times as each caller sees them, the tiers behind included."""
    found = {name: distribution(part(samples, source)) for name, source in _FROM_SEND.items()}
    return {name: one for name, one in found.items() if one is not None}


def shares(samples: Samples) -> list[Share]:
    """Return the share of each part in the total time: of all requests, and of the slowest.

    Means add up to the total's mean exactly. Percentiles don't, because each part has its own slow requests.
    """
    total = part(samples, "total")
    if not len(total):
        return []
    slow = np.argsort(total)[-max(1, len(total) // _TAIL) :]
    found = []
    for name in LEAVES:
        times = np.nan_to_num(part(samples, name))
        share = Share(
            part=name,
            mean=float(times.mean()),
            share=ratio(float(times.sum()), float(total.sum())),
            p50=float(percentiles(times, [500])[0] or 0.0),
            tail_mean=float(times[slow].mean()),
            tail_share=ratio(float(times[slow].sum()), float(total[slow].sum())),
        )
        if name != "unattributed" or share.mean:
            found.append(share)
    return found


def parts_over_p50(samples: Samples) -> float | None:
    """Return the sum of the parts' means in the 10 % of requests around the median, over the median.

    Medians of the parts don't add up, because each part has its own slow requests.
    """
    total = part(samples, "total")
    low, median, high = percentiles(total, [450, 500, 550])
    if low is None or not median or high is None:
        return None
    middle = samples[(total >= low) & (total <= high)]
    return sum(float(np.nan_to_num(part(middle, name)).mean()) for name in LEAVES) / median


def kinds(samples: Samples) -> dict[str, KindSummary]:
    """Return the results of each kind of request that was sent."""
    found = {}
    for name in np.unique(samples["kind"]):
        chosen = samples[samples["kind"] == name]
        errors = int(np.count_nonzero(chosen["good"] == 0))
        found[name.decode()] = KindSummary(requests=len(chosen), errors=errors, latency=latency(chosen))
    return found


def consistency(samples: Samples) -> Consistency:
    """Count the requests for which each tier's time is no longer than its caller's."""
    checked = samples[~(np.isnan(samples["app"]) | np.isnan(samples["db"]))]
    client, application, database = checked["client"], checked["app"], part(checked, "database response")
    consistent = (client >= application) & (application >= checked["db"]) & (application >= database - ROUNDING)
    return Consistency(checked=len(checked), consistent=int(np.count_nonzero(consistent)))


def drift(samples: Samples, plan: LoadPlan) -> list[Drift]:
    """Return the median and p99 of each part in the first and in the last fifth of a soak run."""
    fifth = plan.seconds / 5
    first, last = between(samples, 0, fifth), between(samples, plan.seconds - fifth, plan.seconds)
    found = []
    for name in _DRIFT:
        (a50, a99), (b50, b99) = (percentiles(latencies(each, name), [500, 990]) for each in (first, last))
        if a50 is not None and a99 is not None and b50 is not None and b99 is not None:
            change = b50 / a50 - 1 if a50 and math.isfinite(a50 + b50) else None
            found.append(Drift(part=name, first_p50=a50, last_p50=b50, first_p99=a99, last_p99=b99, change=change))
    return found


def slowest(samples: Samples, trace: str) -> list[SlowRequest]:
    """Return the slowest of the requests that were sent, slowest first.

    Args:
        samples: All requests that were sent.
        trace: First half of their trace ids.
    """
    chosen = samples[np.argsort(part(samples, "total"))[::-1][:_SLOWEST]]
    columns = {name: part(chosen, name).tolist() for name in ("total", *PARTS)}
    return [
        SlowRequest.model_validate(
            {
                "number": int(one["number"]),
                "due": float(one["due"]),
                "kind": one["kind"].decode(),
                "status": int(one["status"]),
                "trace": trace + one["trace"].decode(),
                **{name: None if math.isnan(times[row]) else times[row] for name, times in columns.items()},
            }
        )
        for row, one in enumerate(chosen)
    ]


def ratio(amount: float, whole: float) -> float:
    """Return an amount's share in the whole, 0 if the whole is 0."""
    return amount / whole if whole else 0.0
