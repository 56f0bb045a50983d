"""From a run's samples to its summary."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

import numpy as np

from cloudinit.load_plan import LoadPlan, Profile, arrivals
from measure.analysis.causes import undelivered
from measure.analysis.delivery import delivery, invariants
from measure.analysis.drift import drift
from measure.analysis.samples import Samples, part
from measure.analysis.statistics import kinds, latency, latency_seen, middle_sum, shares
from measure.analysis.verdict import verdict
from measure.failures import MeasureError
from measure.run.plan import arrivals_until
from measure.run.session import Progress
from measure.summary import Config, Plan, Run, SlowRequest, Storage, Summary

_SLOWEST = 10


@dataclass(frozen=True, slots=True)
class Ending:
    """How far a run went.

    Attributes:
        asked: requests that were due until it ended.
        seconds: from its begin until its last answer.
        whole: whether it ran to its plan's end.
    """

    asked: int
    seconds: float
    whole: bool


def ending(progress: Progress, early: MeasureError | None) -> Ending:
    """Return how far a run went, by its samples and the agent's clock."""
    samples, plan = progress.samples, progress.plan
    whole = early is None and not (progress.stairs is not None and progress.stairs.broken)
    last = float((samples["sent"] + samples["client"]).max()) / 1000 if len(samples) else 0.0
    asked = arrivals(plan.segments)
    if not whole:
        until = max(progress.elapsed, float(samples["sent"].max()) / 1000 if len(samples) else 0.0)
        asked = min(asked, math.floor(arrivals_until(plan.segments, until)))
    return Ending(max(asked, len(samples)), last, whole)


def summarize(
    progress: Progress,
    gates: dict[str, float],
    config: Config,
    versions: dict[str, str],
    early: MeasureError | None,
    disk: Storage | None = None,
) -> Summary:
    """Return all numbers of a run that has ended.

    Args:
        progress: the run.
        gates: limits by name.
        config: what was measured.
        versions: of all that took part.
        early: why it ended before its time, None if it didn't.
        disk: what the data disk was measured to do, None if it wasn't.
    """
    samples, plan, end = progress.samples, progress.plan, ending(progress, early)
    stress = progress.stairs.result(samples) if progress.stairs is not None else None
    # What is under way when a run is stopped is neither sent nor missing.
    due = end.asked if end.whole else end.asked - plan.concurrency
    problem = undelivered(samples, asked=due, seconds=end.seconds, concurrency=plan.concurrency)
    if stress is not None and stress.limit is not None:
        problem = None  # the limit says it
    times = latency(samples)
    return Summary(
        run=_run(progress, end),
        plan=_plan(plan),
        config=config,
        versions=versions,
        verdict=verdict(samples, gates, asked=end.asked, early=early, stress=stress),
        delivery=delivery(samples, asked=end.asked, problem=problem),
        latency=times,
        seen=latency_seen(samples),
        shares=shares(samples),
        p50_sum=middle_sum(samples),
        kinds=kinds(samples),
        invariants=invariants(samples),
        stress=stress,
        soak=drift(samples, plan) if plan.profile is Profile.SOAK and end.whole else None,
        slowest=slowest(samples, progress.run.trace if progress.run else ""),
        storage=disk,
    )


def _run(progress: Progress, end: Ending) -> Run:
    run = progress.run
    begun = run.started if run is not None else None
    started = None if begun is None else datetime.fromtimestamp(begun, UTC).isoformat(timespec="milliseconds")
    return Run(id=progress.plan.run, started=started, seconds=end.seconds, trace=run.trace if run else "")


def _plan(plan: LoadPlan) -> Plan:
    values = {key: value for key, value in asdict(plan).items() if key != "run"}
    return Plan.model_validate({**values, "segments": [asdict(segment) for segment in plan.segments]})


def slowest(samples: Samples, trace: str) -> list[SlowRequest]:
    """Return the slowest requests, the slowest first.

    Args:
        samples: all requests.
        trace: high half of their trace ids.
    """
    order = np.argsort(part(samples, "total"))[::-1][:_SLOWEST]
    chosen = samples[order]
    columns = {name: part(chosen, name) for name in ("total", "wait", "web", "application", "database")}
    found = []
    for index, one in enumerate(chosen):
        times = {name: float(values[index]) for name, values in columns.items()}
        found.append(
            SlowRequest.model_validate(
                {
                    "number": int(one["number"]),
                    "due": float(one["due"]),
                    "kind": one["kind"].decode(),
                    "status": int(one["status"]),
                    **{name: None if math.isnan(value) else value for name, value in times.items()},
                    "trace": trace + one["trace"].decode(),
                }
            )
        )
    return found
