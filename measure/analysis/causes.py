"""Why requests were not sent or answered in time: what was saturated, and which part of the latency grew."""

from __future__ import annotations

import numpy as np

from measure.analysis.samples import Samples, part
from measure.analysis.statistics import ROUNDING, percentiles

# A generator this late (ms) with free connections is short of CPU; timers alone are a millisecond or two late.
_LATE = 25.0
# Requests that wait while this share of the connections is busy wait for a connection, not for the generator.
_ALL_BUSY = 0.7
_NAMES = {
    "web": "the web tier's own time (nginx and the network)",
    "code": "the application's own code",
    "pool": "the application's wait for a database connection",
    "database_connect": "connecting to the database",
    "database": "the database's time",
    "unattributed": "the time of requests that the application did not answer",
}


def busy(samples: Samples) -> tuple[float, int]:
    """Return how many connections had a request in flight: the average from first to last request, and the maximum."""
    if not len(samples):
        return 0.0, 0
    # A connection that is reused at once must not count twice because of rounding.
    starts, ends = np.sort(samples["sent"]), np.sort(samples["sent"] + samples["client"]) - ROUNDING
    span = float(ends[-1] - starts[0])
    in_flight = np.arange(1, len(starts) + 1) - np.searchsorted(ends, starts, side="right")
    return (float(samples["client"].sum()) / span if span else 0.0), int(in_flight.max())


def shortfall(samples: Samples, *, scheduled: int, seconds: float, concurrency: int) -> str | None:
    """Return why fewer requests were sent than scheduled; None if at least 99.9 % were sent.

    Args:
        samples: The requests that were sent.
        scheduled: How many requests were scheduled.
        seconds: Duration of the run; its first tenth is the baseline.
        concurrency: The plan's connections.
    """
    if not scheduled or len(samples) >= 0.999 * scheduled:
        return None
    baseline = samples["due"] < seconds * 100
    first, rest = samples[baseline], samples[~baseline]
    why = cause(first, rest if len(rest) else first, concurrency=concurrency)
    return f"{len(samples):,} of {scheduled:,} scheduled requests were sent ({len(samples) / scheduled:.1%}): {why}."


def cause(before: Samples, after: Samples, *, concurrency: int) -> str:
    """Return in words what kept requests from being sent and answered in time.

    Args:
        before: Requests of a healthy stretch, or of the start of the run.
        after: Requests of the stretch to explain.
        concurrency: The plan's connections.
    """
    if not len(after):
        return "no request was sent"
    return "; ".join([*_saturated(after, concurrency), _slower(before, after, concurrency)])


def _saturated(samples: Samples, concurrency: int) -> list[str]:
    found = []
    waited = float(np.mean(samples["wait"] > 0))
    mean, most = busy(samples)
    late = percentiles(part(samples, "generator"), [990])[0] or 0.0
    if waited > 0.01 and mean >= _ALL_BUSY * concurrency:
        found.append(
            f"all {concurrency} connections were busy ({mean:.0f} on average), {waited:.0%} of requests waited for one"
        )
    elif waited > 0.01 and most >= concurrency:
        found.append(f"all {concurrency} connections were busy at times, {waited:.0%} of requests waited for one")
    elif waited > 0.01:
        found.append(
            f"{waited:.0%} of requests waited although only {mean:.0f} of {concurrency} connections were busy: "
            "the generator's machine is short of CPU"
        )
    if late > _LATE:
        found.append(f"the generator was {late:.0f} ms late (p99) with free connections: its machine is short of CPU")
    errors = float(np.mean(samples["good"] == 0))
    if errors > 0.01:
        found.append(f"{errors:.1%} of requests failed")
    return found


def _slower(before: Samples, after: Samples, concurrency: int) -> str:
    """Return which part grew, or which is the longest if none did."""
    if found := growth(before, after):
        return found
    means = _means(after)
    longest = max(means, key=lambda name: means[name])
    longest_text = f"the longest is {_NAMES[longest]}, {means[longest]:.3g} ms on average"
    client = float(after["client"].mean())
    if busy(after)[0] < _ALL_BUSY * concurrency or not client:
        return f"no part grew since the start; {longest_text}"
    return (
        f"no part grew since the start, so the connections are the limit: {concurrency} of them at {client:.3g} ms "
        f"carry at most {concurrency * 1000 / client:,.0f} requests/s; {longest_text}"
    )


def growth(before: Samples, after: Samples) -> str | None:
    """Return in words which part grew most; None if none did, or if there is nothing to compare with."""
    if not len(before) or not len(after):
        return None
    earlier, means = _means(before), _means(after)
    grown = max(means, key=lambda name: means[name] - earlier[name])
    if means[grown] - earlier[grown] <= max(0.05, 0.1 * earlier[grown]):
        return None
    return f"the part that grew most is {_NAMES[grown]}: {earlier[grown]:.3g} -> {means[grown]:.3g} ms on average"


def _means(samples: Samples) -> dict[str, float]:
    """Return the mean of each part of the time after sending, in milliseconds."""
    return {name: float(np.nan_to_num(part(samples, name)).mean()) for name in _NAMES}
