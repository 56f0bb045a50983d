"""Adding and removing runs: a stack does one run at a time."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus

from cloudinit.load_plan import LoadPlan, parse_load_plan, render_load_plan
from measure.failures import ApiStatusError, TimedOutError, WrongUsageError, command
from measure.run.agent import AgentStatus
from measure.run.stack import RUN, LoadObject, StackClient

_ABANDONED = 60.0  # seconds after the end of its plan until a run that is still there is taken over
_TRIES = 5


def put_run(stack: StackClient, plan: LoadPlan) -> None:
    """Add a run to the cluster.

    Raises:
        WrongUsageError: Another run is in force.
        MeasureError: The API server is unreachable or refuses.
    """

    def put(load: LoadObject) -> None:
        refuse_another_run(load, stack.status())
        stack.put_run(render_load_plan(plan), load.version)

    _retry_on_conflict(stack, put)


def remove_run(stack: StackClient, run: str) -> None:
    """Remove a run from the stack, if it is still there.

    Raises:
        MeasureError: The API server is unreachable or refuses.
    """

    def remove(load: LoadObject) -> None:
        current = _run_in(load)
        if current is not None and current.run == run:
            stack.remove_run(load.version)

    _retry_on_conflict(stack, remove)


def _retry_on_conflict(stack: StackClient, change: Callable[[LoadObject], None]) -> None:
    for _ in range(_TRIES):
        try:
            return change(stack.load_object())
        except ApiStatusError as error:
            if error.status != HTTPStatus.CONFLICT:
                raise
    raise TimedOutError(f"ConfigMap {stack.load_name} keeps changing. Find out what else writes to it.")


def refuse_another_run(load: LoadObject, status: AgentStatus) -> None:
    """Check that no other run is in force. An abandoned run doesn't count.

    Raises:
        WrongUsageError: Another run is in force.
    """
    other = _run_in(load)
    if other is None:
        return
    known = status.find(other.run)
    if known is not None and not known.in_force:
        return
    # The agent ends what it runs. Of a run that it doesn't know, only the server's wall clock tells the age.
    if known is None and (load.changed is None or status.time > load.changed + other.seconds + _ABANDONED):
        return
    left = max(0.0, other.seconds - ((status.elapsed if known else None) or 0.0))
    raise WrongUsageError(
        f"Another run is in progress: {other.run}, about {left:.0f} s left. "
        f"Nothing was started. Follow it with `{command('watch')}`."
    )


def _run_in(load: LoadObject) -> LoadPlan | None:
    """Return the run in the ConfigMap, None without a valid one."""
    try:
        return parse_load_plan(load.data[RUN])
    except (KeyError, ValueError):
        return None
