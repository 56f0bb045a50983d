"""What faults did to a run: each part's time before, during and after, and which tier shows it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
import numpy.typing as npt

from measure.analysis.causes import growth
from measure.analysis.samples import PARTS, Samples, is_sent, part
from measure.analysis.timeline import Timeline
from measure.summary import FaultSpan, FaultSummary, PartChange

SETTLING = 2.0
"""Seconds after the end of a fault that count neither as during nor as after it: queues empty meanwhile."""


@dataclass(frozen=True, slots=True)
class FaultReport:
    """A fault on one machine.

    Attributes:
        title: The fault in words.
        tier: The tier that had it.
        kind: What it did.
        span: Its times since the start of the run.
    """

    title: str
    tier: str
    kind: str
    span: FaultSpan


def fault_summaries(reports: Iterable[FaultReport], samples: Samples, seconds: float) -> list[FaultSummary]:
    """Return each fault with what became of the requests, in the order of their times.

    Args:
        reports: What the guests reported.
        samples: All scheduled requests.
        seconds: Length of the run, which ends faults whose end nobody reported.
    """
    every = sorted(reports, key=lambda one: (one.title, one.span.began or 0.0))
    disturbed = _within(samples, [one.span for one in every], seconds, SETTLING)
    found = []
    for title, group in groupby(every, key=lambda one: one.title):
        of_fault = list(group)
        spans = [one.span for one in of_fault]
        begins = [one.began for one in spans if one.began is not None]
        first = min(begins, default=0.0)
        during = samples[_within(samples, spans, seconds)]
        undisturbed = samples[~disturbed]
        before = undisturbed[undisturbed["due"] < first * 1000]
        after = undisturbed[undisturbed["due"] >= _last(spans, seconds) * 1000]
        found.append(
            FaultSummary(
                title=title,
                tier=of_fault[0].tier,
                kind=of_fault[0].kind,
                spans=spans,
                parts=_changes(before, during, after),
                error_rate_before=_error_rate(before),
                error_rate_during=_error_rate(during),
                error_rate_after=_error_rate(after),
                finding=_finding(before, during) if begins else "it was not in force: " + _problems(spans),
            )
        )
    return sorted(found, key=lambda one: min((span.began or 0.0 for span in one.spans), default=0.0))


def active(faults: Sequence[FaultSummary], timeline: Timeline) -> npt.NDArray[np.float64]:
    """Return how many faults were in force in each second of a timeline, however many machines had each."""
    seconds = timeline["second"]
    count = np.zeros(len(seconds))
    for fault in faults:
        inside = np.zeros(len(seconds), dtype=bool)
        for begin, end in spans(fault.spans, float(seconds[-1]) + 1 if len(seconds) else 0.0):
            inside |= (seconds + 1 > begin) & (seconds < end)
        count += inside
    return count


def spans(reported: Iterable[FaultSpan], seconds: float) -> list[tuple[float, float]]:
    """Return when a fault was in force on any machine, without overlaps.

    Args:
        reported: The fault on each machine.
        seconds: When a fault ends whose end nobody reported.
    """
    ends = ((one.began, seconds if one.ended is None else one.ended) for one in reported if one.began is not None)
    known = sorted(ends)
    merged: list[tuple[float, float]] = []
    for begin, end in known:
        if merged and begin <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((begin, end))
    return merged


def _last(reported: Sequence[FaultSpan], seconds: float) -> float:
    return max((end for _, end in spans(reported, seconds)), default=0.0)


def _within(
    samples: Samples, reported: Sequence[FaultSpan], seconds: float, settling: float = 0.0
) -> npt.NDArray[np.bool_]:
    """Return which requests were due, or in flight, while a fault was in force, or `settling` seconds later."""
    inside = np.zeros(len(samples), dtype=bool)
    ends = samples["due"] + np.nan_to_num(part(samples, "total"))
    for begin, end in spans(reported, seconds):
        inside |= (ends >= begin * 1000) & (samples["due"] < (end + settling) * 1000)
    return inside


def _changes(before: Samples, during: Samples, after: Samples) -> list[PartChange]:
    found = []
    for name in ("total", *PARTS):
        means = [_mean(samples, name) for samples in (before, during, after)]
        share_before, share_during = (_share(samples, name) for samples in (before, during))
        found.append(
            PartChange(
                part=name,
                before=means[0],
                during=means[1],
                after=means[2],
                share_before=share_before,
                share_during=share_during,
            )
        )
    return found


def _mean(samples: Samples, name: str) -> float | None:
    times = part(samples, name)
    known = times[np.isfinite(times)]
    return float(known.mean()) if len(known) else None


def _share(samples: Samples, name: str) -> float | None:
    total = float(np.nansum(part(samples, "total")))
    return float(np.nansum(part(samples, name))) / total if total else None


def _error_rate(samples: Samples) -> float | None:
    sent = samples[is_sent(samples)]
    return float(np.mean(sent["good"] == 0)) if len(sent) else None


def _finding(before: Samples, during: Samples) -> str:
    """Return what shows the fault, in words."""
    if not len(during):
        return "no request was due while it was in force"
    if not len(before):
        return "no request was due before it, so there is nothing to compare with"
    sent = during[is_sent(during)]
    failed, unsent = int(np.count_nonzero(sent["good"] == 0)), len(during) - len(sent)
    found = [f"{failed:,} of {len(during):,} requests failed"] if failed else []
    found += [f"{unsent:,} were never sent"] if unsent else []
    found.append(growth(before[is_sent(before)], sent) or "no part of the requests' time grew")
    return "; ".join(found)


def _problems(reported: Sequence[FaultSpan]) -> str:
    return "; ".join(sorted({one.problem or "no machine reported it" for one in reported}))
