"""What a fault did to a client's requests: errors, outages, slow answers, and when all was as before."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

# A second is as before if none of its requests failed and their p95 is within the bound. All is as before once so many
# seconds in a row are: one second without an error may be luck while half of a tier is away.
STABLE_SECONDS = 5
# A bound on a quiet machine's p95 of 2 ms would take any other process for a fault.
LEAST_BOUND = 0.25  # s
BOUND_FACTOR = 3.0
# Shorter gaps between good answers are single failed requests, not an outage.
LEAST_OUTAGE = 0.5  # s

Requests = npt.NDArray[np.void]
"""Structured array with the fields of REQUEST, in the order of `due`."""
REQUEST = np.dtype([("due", "f8"), ("took", "f8"), ("good", "?")])
"""When a request was to be sent and how long its answer took from then, in seconds; whether the answer was good."""


@dataclass(frozen=True, slots=True)
class Impact:
    """What a fault did to the requests.

    Attributes:
        requests: Number of requests from the fault's start on.
        errors: How many of them failed.
        slow: How many were answered well, but not within the bound.
        bound_s: Bound of the latency.
        unavailable_s: Time without any good answer.
        recovery_s: Seconds from the fault's end until all was as before; None if it wasn't while observed.
    """

    requests: int
    errors: int
    slow: int
    bound_s: float
    unavailable_s: float
    recovery_s: int | None


def requests(observed: Iterable[tuple[float, float, bool]]) -> Requests:
    """Return an array of requests, each with its `due`, `took` and `good`."""
    return np.sort(np.array(list(observed), dtype=REQUEST), order="due")


def impact(found: Requests, start: float, end: float, until: float) -> Impact:
    """Return what a fault did.

    Args:
        found: All requests; those before the fault's start say what is normal.
        start: When the fault began.
        end: When it ended.
        until: Up to when every request has its answer.
    """
    bound = latency_bound(found[found["due"] < start])
    after = found[found["due"] >= start]
    return Impact(
        requests=len(after),
        errors=int(np.count_nonzero(~after["good"])),
        slow=int(np.count_nonzero(after["good"] & (after["took"] > bound))),
        bound_s=bound,
        unavailable_s=unavailable(after),
        recovery_s=recovery(found, end, until, bound),
    )


def latency_bound(before: Requests) -> float:
    """Return the highest p95 that is still normal, given the requests before a fault."""
    good = before["took"][before["good"]]
    return max(LEAST_BOUND, BOUND_FACTOR * float(np.quantile(good, 0.95))) if len(good) else LEAST_BOUND


def recovery(found: Requests, end: float, until: float, bound: float) -> int | None:
    """Return the seconds from `end` until the first of `STABLE_SECONDS` seconds in a row that are as before."""
    stable = 0
    for second in range(max(0, math.floor(until - end))):
        chosen = found[(found["due"] >= end + second) & (found["due"] < end + second + 1)]
        as_before = len(chosen) and chosen["good"].all() and np.quantile(chosen["took"], 0.95) <= bound
        stable = stable + 1 if as_before else 0
        if stable == STABLE_SECONDS:
            return second + 1 - STABLE_SECONDS
    return None


def unavailable(found: Requests) -> float:
    """Return the time in outages: from a failed request until the next good one, if that is long enough."""
    total, began = 0.0, None
    for due, good in zip(found["due"].tolist(), found["good"].tolist(), strict=True):
        if good and began is not None:
            total += due - began if due - began >= LEAST_OUTAGE else 0
            began = None
        elif not good and began is None:
            began = due
    if began is not None:
        total += float(found["due"][-1]) - began
    return total
