"""Whether a soak run's requests became slower: its last fifth against its first."""

from __future__ import annotations

from cloudinit.load_plan import LoadPlan
from measure.analysis.samples import Samples, between, part
from measure.analysis.statistics import percentiles
from measure.summary import Drift

_PARTS = ("total", "wait", "web", "code", "pool", "database_connect", "database")


def drift(samples: Samples, plan: LoadPlan) -> list[Drift]:
    """Return each part's median and p99 in the first and in the last fifth of the plan's time."""
    fifth = plan.seconds / 5
    first, last = between(samples, 0, fifth), between(samples, plan.seconds - fifth, plan.seconds)
    found = []
    for name in _PARTS:
        (a50, a99), (b50, b99) = (percentiles(part(each, name), [500, 990]) for each in (first, last))
        if a50 is not None and a99 is not None and b50 is not None and b99 is not None:
            change = b50 / a50 - 1 if a50 else 0.0
            found.append(Drift(part=name, first_p50=a50, last_p50=b50, first_p99=a99, last_p99=b99, change=change))
    return found
