"""Percentiles, shares, drift, gates and the timeline, against values worked out independently."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudinit.load_plan import Profile, arrivals, segments
from components.settings.load import GateSettings
from measure.analysis.gates import DEFAULT_GATES, judge, measured_text
from measure.analysis.samples import LEAVES, TIERS, latencies, parse, part
from measure.analysis.schedule import due_times, scheduled_until
from measure.analysis.statistics import consistency, distribution, drift, percentiles, shares
from measure.analysis.timeline import timeline
from tests.unit.measure.synthetic import LOST, ONE, Response, plan, samples

TIMES = st.lists(st.floats(0, 1e5), min_size=1, max_size=60)


@given(TIMES, st.integers(1, 999))
def test_a_percentile_is_the_smallest_time_that_enough_requests_do_not_exceed(
    times: list[float], thousandths: int
) -> None:
    (found,) = percentiles(np.array(times), [thousandths])
    enough = [time for time in sorted(times) if sum(t <= time for t in times) * 1000 >= thousandths * len(times)]
    assert found == enough[0]


@given(TIMES)
def test_a_distribution_leaves_out_unknown_times(times: list[float]) -> None:
    assert distribution(np.array([*times, math.nan, math.nan])) == distribution(np.array(times))


def test_unknown_times_have_no_distribution() -> None:
    assert distribution(np.array([math.nan])) is None


def test_the_distribution_of_a_thousand_times() -> None:
    found = distribution(np.arange(1000, 0, -1, dtype=float))
    assert found
    assert (found.p50, found.p90, found.p99, found.p999, found.max) == (500, 900, 990, 999, 1000)


def test_shares_add_up_to_the_total_exactly_with_requests_without_a_response() -> None:
    every = parse(ONE * 3 + LOST)
    found = shares(every)
    assert sum(one.mean for one in found) == pytest.approx(part(every, "total").mean(), rel=1e-12)
    assert sum(one.share for one in found) == pytest.approx(1, rel=1e-12)
    assert sum(one.tail_share for one in found) == pytest.approx(1, rel=1e-12)
    assert [one.part for one in found] == list(LEAVES)


def test_shares_show_where_the_slowest_requests_spend_their_time() -> None:
    slow = samples(plan(), lambda _, number: Response(web=1.0, database=50.0 if number % 100 == 0 else 0.4))
    found = {one.part: one for one in shares(slow)}
    assert found["database"].tail_share > 0.9
    assert found["database"].p50 == 0.4


@pytest.mark.parametrize("profile", list(Profile))
def test_scheduled_requests_are_the_integral_of_the_rate(profile: Profile) -> None:
    course = segments(profile, rps=20, peak=80, seconds=30)
    fine = np.linspace(0, 30, 300_001)
    edges = np.cumsum([0.0, *(one.seconds for one in course)])
    index = np.clip(np.searchsorted(edges, fine, side="right") - 1, 0, len(course) - 1)
    begin, end = (np.array([getattr(one, name) for one in course]) for name in ("begin", "end"))
    length = np.array([one.seconds for one in course])
    rate = begin[index] + (end - begin)[index] * (fine - edges[index]) / length[index]
    for second in (0, 1, 7.5, 18.3, 30):
        integral = np.trapezoid(rate[fine <= second], fine[fine <= second])
        assert float(scheduled_until(course, second)) == pytest.approx(integral, abs=0.02)


@pytest.mark.parametrize("profile", list(Profile))
def test_requests_are_due_when_the_integral_of_the_rate_reaches_their_number(profile: Profile) -> None:
    course = segments(profile, rps=20, peak=80, seconds=30)
    numbers = np.arange(arrivals(course))
    due = due_times(course, numbers)
    assert (np.diff(due) > 0).all()
    assert scheduled_until(course, due / 1000) == pytest.approx(numbers, abs=1e-6)


def test_inconsistent_times_are_counted() -> None:
    application_slower_than_client = ONE.replace(b",8.000,5.000", b",4.000,5.000")
    found = consistency(parse(ONE + ONE + application_slower_than_client + LOST))
    assert (found.checked, found.consistent) == (3, 2)


def test_a_gate_fails_if_no_request_has_its_value() -> None:
    (result,) = judge({"database.p99": 10.0}, parse(ONE.replace(b"2.000,200", b",200") * 1000))
    assert (result.measured, result.requests) == (None, 0)
    assert not result.passed


@pytest.mark.parametrize(("gate", "least"), [("total.p95", 200), ("total.p99", 1000), ("database.p99", 1000)])
def test_a_gate_on_a_percentile_fails_with_fewer_than_ten_requests_above_it(gate: str, least: int) -> None:
    (few,), (enough,) = (judge({gate: 50.0}, parse(ONE * count)) for count in (least - 1, least))
    assert (few.passed, enough.passed) == (False, True)
    assert measured_text(few) == f"unknown: not enough samples ({least - 1:,}, needs {least:,})"


@pytest.mark.parametrize(
    ("line", "unanswered"),
    [
        (LOST, ["total", "web", "application", "database"]),
        (LOST.replace(b"0,1050,0", b"502,1502,0"), ["web", "application", "database"]),  # nginx found no application
        (ONE.replace(b"200,0,1", b"503,1503,0"), ["application", "database"]),
    ],
)
def test_a_part_in_or_before_which_a_request_failed_is_not_answered(line: bytes, unanswered: list[str]) -> None:
    every = parse(line)
    assert [name for name in ("total", *TIERS) if latencies(every, name)[0] == math.inf] == unanswered


@pytest.mark.parametrize(
    ("tier", "milliseconds"), [("total", 18.0), ("web", 3.0), ("application", 3.0), ("database", 2.0)]
)
def test_a_tiers_gate_judges_its_own_part_only(tier: str, milliseconds: float) -> None:
    (result,) = judge({f"{tier}.p95": milliseconds}, parse(ONE * 200))
    assert result.measured == milliseconds
    assert result.passed


def test_the_settings_state_the_default_gates() -> None:
    for name, limit in DEFAULT_GATES.items():
        assert f"Defaults to {limit};" in (GateSettings.model_fields[name].description or "")


def test_drift_compares_the_last_fifth_of_a_soak_run_with_the_first() -> None:
    soak = plan(Profile.SOAK)
    slower = samples(soak, lambda sent, _: Response(database=2.0 if sent < 8000 else 3.0))
    found = {one.part: one for one in drift(slower, soak)}
    assert (found["database"].first_p50, found["database"].last_p50) == (2.0, 3.0)
    assert found["database"].change == pytest.approx(0.5)
    assert found["web"].change == pytest.approx(0)


def test_the_timeline_counts_a_request_in_the_second_of_its_scheduled_time() -> None:
    every = parse(ONE.replace(b"1010.000,10.000", b"2010.000,1010.000") + LOST)
    columns = timeline(every, plan())
    assert list(columns["sent"]) == [0, 1]
    assert list(columns["succeeded"]) == [0, 1]
    assert list(columns["errors"]) == [0, 1]
    assert list(columns["scheduled"]) == [100, 100]
    assert columns["total_p99"][1] == math.inf, "the second request got no answer"
    assert math.isnan(columns["total_p99"][0])
