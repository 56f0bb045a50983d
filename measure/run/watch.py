"""Watching the load in force without changing it."""

from __future__ import annotations

import json
import time
from threading import Event

from cloudinit.load_plan import LoadPlan, parse_load_plan
from measure.analysis.recording import Recording
from measure.failures import ApiStatusError, ApiUnreachableError, NotServingError
from measure.run.agent import RunStatus
from measure.run.session import POLL, SILENCE, View
from measure.run.stack import StackClient

_KEEP = 200_000  # samples beyond which the older half is dropped: a stack's own load never ends


def watch(stack: StackClient, *, view: View, stop: Event, seconds: float | None) -> None:
    """Show the load in force until stopped.

    Raises:
        NotServingError: There is no load to watch.
        TimedOutError: The API server is unreachable.
    """
    end = None if seconds is None else time.monotonic() + seconds
    responded = time.monotonic()
    recording: Recording | None = None
    status = stack.status()
    instance, offset = status.instance, status.samples.next
    watched: tuple[str, str] | None = None  # the recorded run's agent and id
    while not stop.wait(POLL) and (end is None or time.monotonic() < end):
        try:
            status = stack.status()
            run = status.run
            if run is None:
                raise NotServingError("The load generator has no plan.")
            if recording is None or watched != (status.instance, run.id):
                recording, watched = Recording(_plan(run)), (status.instance, run.id)
            if instance != status.instance:  # a restarted agent may be a new guest's, whose offsets start again
                instance, offset = status.instance, 0
            recording.elapsed = status.elapsed or 0.0
            offset = max(offset, run.first or 0, status.samples.first)
            while offset < status.samples.next and (lines := stack.samples(offset)):
                recording.buffer.append(lines)
                offset += len(lines)
            responded = time.monotonic()
            note = f"waiting: {run.problem}" if run.state == "waiting" else ""
        except (ApiUnreachableError, ApiStatusError) as error:
            if recording is None or time.monotonic() - responded > SILENCE:
                raise
            note = str(error)
        if len(recording.samples) > _KEEP:
            recording.buffer.drop_oldest_half()
        view.show(recording, note)


def _plan(run: RunStatus) -> LoadPlan:
    try:
        return parse_load_plan(json.dumps(run.plan))
    except ValueError as error:
        raise NotServingError(f"The load generator's plan can't be parsed: {error}") from None
