"""Whose run it is that the cluster holds: there is one at a time."""

from __future__ import annotations

import time
from http import HTTPStatus

from cloudinit.load_plan import LoadPlan, parse_load_plan, render_load_plan
from measure.failures import RefusedError, TimedOutError, WrongUsageError
from measure.run.agent import AgentStatus
from measure.run.cluster import RUN, Cluster, LoadObject

_OVERDUE = 60.0  # seconds behind its plan's end after which somebody else's run has no owner any more
_TRIES = 5


def put_run(cluster: Cluster, plan: LoadPlan) -> None:
    """Put a run into the cluster, unless another is in force.

    Raises:
        WrongUsageError: another is.
        MeasureError: the API server is away or refuses.
    """
    for _ in range(_TRIES):
        load, status = cluster.load_object(), cluster.status()
        refuse_another_run(load, status)
        try:
            cluster.put_run(render_load_plan(plan), load.version)
        except RefusedError as error:
            if error.status != HTTPStatus.CONFLICT:
                raise
        else:
            return
    raise TimedOutError("The load's ConfigMap changes all the time: who else writes to it?")


def remove_run(cluster: Cluster, run: str) -> None:
    """Take a run out of the cluster, unless another has its place.

    Raises:
        MeasureError: the API server is away or refuses.
    """
    for _ in range(_TRIES):
        load = cluster.load_object()
        other = _owner(load)
        if other is None or other.run != run:
            return
        try:
            cluster.remove_run(load.version)
        except RefusedError as error:
            if error.status != HTTPStatus.CONFLICT:
                raise
        else:
            return


def refuse_another_run(load: LoadObject, status: AgentStatus) -> None:
    """Check that nobody measures at the moment; a run whose owner is gone counts as none.

    Raises:
        WrongUsageError: somebody does.
    """
    other = _owner(load)
    if other is None:
        return
    known = status.find(other.run)
    if known is not None and not known.in_force:
        return
    begun = known.started if known is not None and known.started is not None else load.put
    if begun is None or status.time > begun + other.seconds + _OVERDUE:
        return
    since = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(begun))
    left = max(0.0, begun + other.seconds - status.time)
    raise WrongUsageError(
        f"Another run is in force: {other.run}, since {since}, for about another {left:.0f} s. "
        "Nothing was started; see `python -m measure watch`."
    )


def _owner(load: LoadObject) -> LoadPlan | None:
    """Return the run in the ConfigMap, None if there is none that could be done."""
    try:
        return parse_load_plan(load.data[RUN])
    except (KeyError, ValueError):
        return None
