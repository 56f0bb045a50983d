"""Watching whatever load is in force, from now on."""

from __future__ import annotations

import json
import time
from threading import Event

from cloudinit.load_plan import LoadPlan, parse_load_plan
from measure.analysis.samples import Recording
from measure.failures import ApiAwayError, NotServingError, RefusedError
from measure.run.agent import RunStatus
from measure.run.cluster import Cluster
from measure.run.session import POLL, SILENCE, Progress, View

_KEEP = 200_000  # samples after which the oldest half is forgotten: a stack's own load has no end


def watch(cluster: Cluster, *, view: View, stop: Event, seconds: float | None) -> None:
    """Show the load in force until stopped.

    Raises:
        NotServingError: there is no load to watch.
        TimedOutError: the API server stays away.
    """
    end = None if seconds is None else time.monotonic() + seconds
    heard = time.monotonic()
    progress: Progress | None = None
    offset = cluster.status().samples.next
    while not stop.wait(POLL) and (end is None or time.monotonic() < end):
        try:
            status = cluster.status()
            run = status.run
            if run is None:
                raise NotServingError("The load generator has no plan.")
            if progress is None or progress.run is None or progress.run.id != run.id:
                progress = Progress(_plan(run))
            progress.status, progress.run = status, run
            progress.elapsed = max(0.0, status.time - run.started) if run.started is not None else 0.0
            offset = max(offset, run.first or 0, status.samples.first)
            while offset < status.samples.next and (lines := cluster.samples(offset)):
                progress.recording.append(lines)
                offset += len(lines)
            heard = time.monotonic()
            progress.note = f"waiting: {run.problem}" if run.state == "waiting" else ""
        except (ApiAwayError, RefusedError) as error:
            if progress is None or time.monotonic() - heard > SILENCE:
                raise
            progress.note = str(error)
        _forget(progress)
        view.show(progress)


def _plan(run: RunStatus) -> LoadPlan:
    try:
        return parse_load_plan(json.dumps(run.plan))
    except ValueError as error:
        raise NotServingError(f"The load generator's plan can't be read: {error}") from None


def _forget(progress: Progress) -> None:
    samples = progress.samples
    if len(samples) > _KEEP:
        kept = samples[len(samples) // 2 :].copy()
        progress.recording = Recording.of(kept)
