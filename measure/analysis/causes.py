"""Why a run did not get what it asked for: what saturated, and which part of a request grew."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from measure.analysis.delivery import busy, lateness
from measure.analysis.samples import LEAVES, Samples, part
from measure.analysis.statistics import percentiles

# A generator that is this late with free connections is short of CPU; timers alone are late by a millisecond or two.
_LATE = 25.0
# Requests that wait while this many of the connections are under way wait for them, and not for the generator.
_ALL_BUSY = 0.7
_NAMES = {
    "wait": "the wait for a free connection",
    "web": "the web tier's own time (nginx and the network)",
    "code": "the application's own code",
    "pool": "the application's wait for a database connection",
    "database_connect": "the application's connecting to the database",
    "database": "the database's time",
    "unattributed": "the time of requests that the application did not answer",
}


@dataclass(frozen=True, slots=True)
class Growth:
    """A part's mean time in two stretches of a run, in milliseconds."""

    part: str
    before: float
    after: float

    def words(self) -> str:
        """Say it, such as `what grew most is the database's time: 0.8 -> 61 ms on average`."""
        return f"{_NAMES[self.part]}: {self.before:.3g} -> {self.after:.3g} ms on average"


def growth(before: Samples, after: Samples) -> Growth | None:
    """Return the part, other than the wait, that grew most between two stretches; None if none grew notably."""
    if not len(before) or not len(after):
        return None
    grown = [Growth(name, _mean(before, name), _mean(after, name)) for name in LEAVES if name != "wait"]
    most = max(grown, key=lambda one: one.after - one.before)
    return most if most.after - most.before > max(0.05, 0.1 * most.before) else None


def largest(samples: Samples) -> tuple[str, float]:
    """Return the part, other than the wait, with the longest mean time, and that time in milliseconds."""
    means = {name: _mean(samples, name) for name in LEAVES if name != "wait"}
    name = max(means, key=lambda one: means[one])
    return name, means[name]


def cause(before: Samples, after: Samples, *, concurrency: int) -> str:
    """Say what kept requests from being sent and answered in time.

    Args:
        before: requests of a stretch in which all was well, or the run's begin.
        after: requests of the stretch in which it was not.
        concurrency: the plan's connections.
    """
    if not len(after):
        return "no request was sent at all"
    return "; ".join([*_saturated(after, concurrency), _grew(before, after, concurrency)])


def _saturated(samples: Samples, concurrency: int) -> list[str]:
    said = []
    waited = float(np.mean(samples["wait"] > 0))
    mean, most = busy(samples)
    late = percentiles(lateness(samples), [990])[0] or 0.0
    if waited > 0.01 and mean >= _ALL_BUSY * concurrency:
        said.append(
            f"all {concurrency} connections were busy (on average {mean:.0f}), "
            f"{waited:.0%} of the requests waited for one"
        )
    elif waited > 0.01 and most >= concurrency:
        said.append(f"all {concurrency} connections were busy at times, {waited:.0%} of the requests waited for one")
    elif waited > 0.01:
        said.append(
            f"{waited:.0%} of the requests waited although only {mean:.0f} of {concurrency} connections had one "
            "under way: the generator's machine is out of CPU"
        )
    if late > _LATE:
        said.append(f"the generator was late by {late:.0f} ms (p99) with connections free: its machine is out of CPU")
    errors = float(np.mean(samples["good"] == 0))
    if errors > 0.01:
        said.append(f"{errors:.1%} of the requests got no right answer")
    return said


def _grew(before: Samples, after: Samples, concurrency: int) -> str:
    grown = growth(before, after)
    if grown:
        return f"what grew most is {grown.words()}"
    name, mean = largest(after)
    longest = f"the longest is {_NAMES[name]}, {mean:.3g} ms on average"
    client = float(after["client"].mean())
    if busy(after)[0] < _ALL_BUSY * concurrency or not client:
        return f"no part grew since the begin; {longest}"
    return (
        f"no part grew since the begin, so the connections are the limit: {concurrency} of them at {client:.3g} ms "
        f"carry at most {concurrency * 1000 / client:,.0f} requests/s; {longest}"
    )


def undelivered(samples: Samples, *, asked: int, seconds: float, concurrency: int) -> str | None:
    """Say that not all that was asked for was sent, and why; None if it was (to one in a thousand)."""
    if not asked or len(samples) >= 0.999 * asked:
        return None
    tenth = seconds * 100
    due = samples["due"]
    first, rest = samples[due < tenth], samples[due >= tenth]
    why = cause(first, rest if len(rest) else first, concurrency=concurrency)
    return f"{len(samples):,} of {asked:,} asked requests were sent ({len(samples) / asked:.1%}): {why}."


def _mean(samples: Samples, name: str) -> float:
    return float(np.nan_to_num(part(samples, name), nan=0.0).mean())
