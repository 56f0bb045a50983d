"""What faults did to a run."""

from __future__ import annotations

import math

import pytest

from measure.analysis.faults import FaultReport, fault_summaries, spans
from measure.analysis.samples import Samples, parse
from measure.analysis.schedule import with_unsent
from measure.summary import FaultSpan
from tests.unit.measure.synthetic import Response, Service, lines, plan, stalled, steady


def report(
    began: float | None, ended: float | None, title: str = "web process: freeze", problem: str = ""
) -> FaultReport:
    span = FaultSpan(machine="m", began=began, ended=ended, means="", problem=problem)
    return FaultReport(title, "web", "freeze", span)


def run(service: Service = steady) -> Samples:
    course = plan()
    return with_unsent(parse(lines(course, service)), course, 1000)


def failing(start: float, end: float) -> Service:
    """Return a service that refuses between two times (ms)."""

    def respond(sent: float, number: int) -> Response:
        return Response(status=503, good=False) if start <= sent < end else steady(sent, number)

    return respond


def test_before_during_and_after_are_apart_and_after_begins_once_queues_are_empty() -> None:
    (found,) = fault_summaries([report(4.0, 5.0)], run(stalled(4000, 5000)), 10.0)
    total = found.parts[0]
    assert total.before == pytest.approx(total.after, abs=0.05)
    assert total.during
    assert total.during > 100
    assert found.finding.startswith("the part that grew most is the application's own code")


def test_failed_requests_are_counted_before_what_grew() -> None:
    (found,) = fault_summaries([report(4.0, 5.0)], run(failing(4000, 5000)), 10.0)
    assert found.error_rate_before == 0
    assert found.error_rate_during == pytest.approx(1, abs=0.02)
    assert found.error_rate_after == 0
    assert found.finding.startswith("100 of 100 requests failed")


def test_a_kill_takes_no_time_and_shows_in_the_requests_that_were_in_flight() -> None:
    (found,) = fault_summaries([report(4.0, 4.0)], run(stalled(3950, 4000)), 10.0)
    assert found.parts[0].during
    assert found.parts[0].during > 10


def test_a_fault_without_any_effect_says_so() -> None:
    (found,) = fault_summaries([report(4.0, 5.0)], run(), 10.0)
    assert found.finding == "no part of the requests' time grew"


def test_one_faults_time_is_no_baseline_of_another() -> None:
    reports = [report(2.0, 3.0, "first"), report(6.0, 7.0, "second")]
    _, second = fault_summaries(reports, run(stalled(2000, 3000)), 10.0)
    (total, *_) = second.parts
    assert total.before
    assert total.before < 5


def test_the_same_fault_on_several_machines_and_times_is_one() -> None:
    (found,) = fault_summaries([report(2.0, 3.0), report(2.1, 3.1), report(6.0, 7.0)], run(), 10.0)
    assert len(found.spans) == 3
    assert spans(found.spans, 10.0) == [(2.0, 3.1), (6.0, 7.0)]


def test_a_fault_whose_end_nobody_reported_lasts_until_the_end() -> None:
    (found,) = fault_summaries([report(4.0, None)], run(stalled(4000, 9000)), 10.0)
    assert spans(found.spans, math.inf) == [(4.0, math.inf)]
    assert found.parts[0].after is None


@pytest.mark.parametrize(
    ("began", "ended", "finding"),
    [
        (0.0, 10.0, "no request was due before it"),
        (None, 1.0, "it was not in force: no disk"),
        (99.0, 99.5, "no request"),
    ],
)
def test_what_cant_be_compared_is_said(began: float | None, ended: float, finding: str) -> None:
    (found,) = fault_summaries([report(began, ended, problem="no disk")], run(), 10.0)
    assert found.finding.startswith(finding)


def test_a_run_without_any_request_has_faults_all_the_same() -> None:
    (found,) = fault_summaries([report(1.0, 2.0)], parse(b""), 0.0)
    assert found.finding == "no request was due while it was in force"
