"""From a recording to its summary."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime

from cloudinit.load_plan import Profile, arrivals
from measure.analysis import statistics
from measure.analysis.causes import shortfall
from measure.analysis.delivery import delivery
from measure.analysis.faults import FaultReport, fault_summaries
from measure.analysis.recording import Recording
from measure.analysis.schedule import scheduled_until, with_unsent
from measure.analysis.verdict import verdict
from measure.failures import MeasureError
from measure.summary import Config, RunInfo, Storage, Summary


def summarize(
    recording: Recording,
    config: Config,
    *,
    versions: dict[str, str] | None = None,
    early: MeasureError | None = None,
    storage: Storage | None = None,
    faults: Sequence[FaultReport] = (),
) -> Summary:
    """Return all results of a run that has ended.

    Args:
        recording: The run.
        config: What was measured, and the gates.
        versions: Versions of all programs involved.
        early: Why the run ended early, None if it didn't.
        storage: Performance of the data disk, if known.
        faults: The faults that guests reported.
    """
    samples, plan = recording.samples, recording.plan
    stress = recording.steps.result(samples) if recording.steps is not None else None
    limit_found = stress is not None and stress.limit is not None
    completed = early is None and not limit_found
    scheduled = _scheduled(recording, completed=completed)
    seconds = float((samples["sent"] + samples["client"]).max()) / 1000 if len(samples) else 0.0
    started = recording.started
    every = with_unsent(samples, plan, scheduled)
    missing = shortfall(samples, scheduled=scheduled, seconds=seconds, concurrency=plan.concurrency)
    return Summary(
        run=RunInfo(
            id=plan.run,
            started=None
            if started is None
            else datetime.fromtimestamp(started, UTC).isoformat(timespec="milliseconds"),
            seconds=seconds,
            trace=recording.trace,
        ),
        plan=plan,
        segments=plan.segments,
        config=config,
        versions=versions or {},
        verdict=verdict(every, config.gates, early=early, stress=stress),
        # The limit of a stress run says already why requests are missing.
        delivery=delivery(samples, scheduled=scheduled, shortfall=None if limit_found else missing),
        latency=statistics.latency(every),
        latency_from_send=statistics.latency_from_send(samples),
        shares=statistics.shares(samples),
        parts_over_p50=statistics.parts_over_p50(samples),
        kinds=statistics.kinds(samples),
        consistency=statistics.consistency(samples),
        stress=stress,
        soak=statistics.drift(every, plan) if plan.profile is Profile.SOAK and completed else None,
        slowest=statistics.slowest(samples, recording.trace),
        faults=fault_summaries(faults, every, seconds),
        storage=storage,
    )


def _scheduled(recording: Recording, *, completed: bool) -> int:
    """Return how many requests were scheduled until the run ended."""
    samples, segments = recording.samples, recording.plan.segments
    scheduled = arrivals(segments)
    if not completed:
        until = max(recording.elapsed, float(samples["sent"].max()) / 1000 if len(samples) else 0.0)
        # Requests in flight when a run is stopped are neither sent nor missing.
        scheduled = min(scheduled, math.floor(scheduled_until(segments, until))) - recording.plan.concurrency
    return max(scheduled, len(samples))
