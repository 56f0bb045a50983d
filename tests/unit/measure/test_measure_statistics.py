"""Percentiles, parts, shares and the rest, against truths counted by hand or by another way."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudinit.load_plan import Profile, segments
from measure.analysis.causes import undelivered
from measure.analysis.delivery import busy, delivery, evenness, invariants
from measure.analysis.drift import drift
from measure.analysis.gates import judge
from measure.analysis.samples import LEAVES, Recording, parse, part
from measure.analysis.statistics import distribution, percentiles, shares
from measure.analysis.timeline import timeline
from measure.failures import NotServingError
from measure.run.plan import arrivals_until
from tests.unit.measure.synthetic import Answer, plan, samples

# In the order of cloudinit.sample_columns.
ONE = b"7,1000.000,1010.000,10.000,0.500,8.000,5.000,1.000,0.500,2.000,200,0,1,random,00000000000000ff\n"
LOST = b"8,1001.000,1001.000,0.000,0.500,10000.000,,,,,0,1050,0,slow,00000000000000fe\n"
TIMES = st.lists(st.floats(0, 1e5), min_size=1, max_size=60)


class TestOneRequest:
    def test_is_parsed(self) -> None:
        (sample,) = parse(ONE)
        assert sample["number"] == 7
        assert sample["status"] == 200
        assert sample["kind"] == b"random"
        assert sample["trace"] == b"00000000000000ff"

    def test_has_the_parts_that_its_times_say(self) -> None:
        expected = {
            "total": 18, "client": 8, "wait": 10, "web": 3, "application": 3, "code": 1.5, "pool": 1,
            "database_connect": 0.5, "database": 2, "unattributed": 0, "database seen": 3.5, "application seen": 5,
            "client_connect": 0.5,
        }  # fmt: skip
        assert {name: part(parse(ONE), name)[0] for name in expected} == expected

    def test_without_an_answer_has_all_its_time_unattributed(self) -> None:
        lost = parse(LOST)
        assert part(lost, "total")[0] == part(lost, "unattributed")[0] == 10_000
        assert all(math.isnan(part(lost, name)[0]) for name in ("web", "application", "code", "database"))

    @pytest.mark.parametrize("line", [b"1,2,3\n", ONE.replace(b"7,", b"seven,"), b"<html>\n"])
    def test_that_is_none_is_refused(self, line: bytes) -> None:
        with pytest.raises(NotServingError, match="The samples can't be read"):
            parse(line)


def test_a_recording_keeps_every_sample_through_its_growth() -> None:
    recording = Recording()
    for number in range(0, 9000, 3):
        recording.append(b"".join(b"%d,%s" % (number + each, ONE.partition(b",")[2]) for each in range(3)))
    assert list(recording.samples["number"]) == list(range(9000))


class TestPercentiles:
    @given(TIMES, st.integers(1, 999))
    def test_are_the_smallest_time_that_so_many_are_not_above(self, times: list[float], thousandths: int) -> None:
        (found,) = percentiles(np.array(times), [thousandths])
        not_above = [time for time in sorted(times) if sum(t <= time for t in times) * 1000 >= thousandths * len(times)]
        assert found == not_above[0]

    @given(TIMES)
    def test_leave_out_what_is_unknown(self, times: list[float]) -> None:
        holes = np.array([*times, math.nan, math.nan])
        assert distribution(holes) == distribution(np.array(times))

    def test_of_nothing_are_nothing(self) -> None:
        assert distribution(np.array([math.nan])) is None

    def test_of_a_thousand_times(self) -> None:
        found = distribution(np.arange(1000, 0, -1, dtype=float))
        assert found
        assert (found.p50, found.p90, found.p99, found.p999, found.max) == (500, 900, 990, 999, 1000)


class TestShares:
    def test_add_up_to_the_total_exactly_lost_requests_included(self) -> None:
        every = parse(ONE * 3 + LOST)
        total = part(every, "total")
        assert sum(one.mean for one in shares(every)) == pytest.approx(total.mean(), rel=1e-12)
        assert sum(one.share for one in shares(every)) == pytest.approx(1, rel=1e-12)
        assert sum(one.tail_share for one in shares(every)) == pytest.approx(1, rel=1e-12)
        assert [one.part for one in shares(every)] == list(LEAVES)

    def test_tell_where_the_slowest_spend_their_time(self) -> None:
        slow = samples(plan(), lambda _, number: Answer(web=1.0, database=50.0 if number % 100 == 0 else 0.4))
        found = {one.part: one for one in shares(slow)}
        assert found["database"].tail_share > 0.9
        assert found["database"].p50 == 0.4


class TestArrivals:
    @pytest.mark.parametrize("profile", list(Profile))
    def test_until_a_time_are_the_integral_of_the_rate(self, profile: Profile) -> None:
        course = segments(profile, rps=20, peak=80, seconds=30)
        fine = np.linspace(0, 30, 300_001)
        edges = np.cumsum([0.0, *(one.seconds for one in course)])
        index = np.clip(np.searchsorted(edges, fine, side="right") - 1, 0, len(course) - 1)
        begin, end = (np.array([getattr(one, name) for one in course]) for name in ("begin", "end"))
        length = np.array([one.seconds for one in course])
        rate = begin[index] + (end - begin)[index] * (fine - edges[index]) / length[index]
        for second in (0, 1, 7.5, 18.3, 30):
            integral = np.trapezoid(rate[fine <= second], fine[fine <= second])
            assert float(arrivals_until(course, second)) == pytest.approx(integral, abs=0.02)

    def test_of_a_clock_are_even_and_of_bursts_are_not(self) -> None:
        assert (evenness(samples(plan(rps=1000, peak=1000))) or 0) < 0.1
        burst = samples(plan(rps=1000, peak=1000))
        burst["sent"] = np.floor(burst["sent"] / 100) * 100
        assert (evenness(burst) or 0) > 5

    def test_of_chance_are_poissons(self) -> None:
        every = samples(plan(rps=2000, peak=2000))
        every["sent"] = np.random.default_rng(1).uniform(0, 10_000, len(every))
        assert evenness(every) == pytest.approx(1, abs=0.15)


class TestDelivery:
    def test_counts_busy_connections_as_a_sweep_over_time_does(self) -> None:
        every = samples(plan(concurrency=4), lambda _, number: Answer(web=float(number * 7 % 60)))
        moments = np.linspace(0, 10_000, 50_000)
        under_way = [np.count_nonzero((every["sent"] <= at) & (every["sent"] + every["client"] > at)) for at in moments]
        mean, most = busy(every)
        assert most == max(under_way) == 4
        assert mean == pytest.approx(np.mean(under_way), rel=0.01)

    def test_counts_errors_by_what_came(self) -> None:
        gateway = ONE.replace(b"200,0,1", b"502,1502,0")
        found = delivery(parse(ONE + gateway + gateway + LOST), asked=5, problem=None)
        assert found.errors_by == {"HTTP 502": 2, "no answer, k6 error 1050": 1}
        assert (found.errors, found.good, found.error_rate, found.delivered_share) == (3, 1, 0.75, 0.8)
        assert (found.waited, found.waited_share) == (3, 0.75)

    def test_counts_requests_whose_times_are_possible(self) -> None:
        upside_down = ONE.replace(b",8.000,5.000", b",4.000,5.000")
        found = invariants(parse(ONE + ONE + upside_down + LOST))
        assert (found.requests, found.held) == (3, 2)

    def test_that_is_whole_has_no_problem(self) -> None:
        assert undelivered(samples(plan()), asked=1000, seconds=10, concurrency=10) is None

    def test_blames_a_generator_that_is_late_with_connections_free(self) -> None:
        late = samples(plan())[:900]
        late["sent"] += 200.0
        problem = undelivered(late, asked=1000, seconds=10, concurrency=10)
        assert problem
        assert "the generator was late by 200 ms (p99) with connections free: its machine is out of CPU" in problem

    def test_blames_a_generator_whose_requests_wait_with_connections_free(self) -> None:
        late = samples(plan())[:900]
        late["sent"] += 200.0
        late["wait"] += 200.0
        problem = undelivered(late, asked=1000, seconds=10, concurrency=10)
        assert problem
        assert "waited although only 0 of 10 connections had one under way: the generator's machine" in problem


def test_a_gate_on_what_no_request_tells_fails() -> None:
    (result,) = judge({"database.p99": 10.0}, parse(LOST), asked=1)
    assert result.measured is None
    assert not result.passed


@pytest.mark.parametrize(
    ("tier", "milliseconds"), [("total", 18.0), ("web", 3.0), ("application", 3.0), ("database", 2.0)]
)
def test_a_gate_on_a_tier_is_on_its_own_share(tier: str, milliseconds: float) -> None:
    (result,) = judge({f"{tier}.p95": milliseconds}, parse(ONE), asked=1)
    assert result.measured == milliseconds
    assert result.passed


def test_a_soak_compares_its_last_fifth_with_its_first() -> None:
    soak = plan(Profile.SOAK)
    slower = samples(soak, lambda sent, _: Answer(database=2.0 if sent < 8000 else 3.0))
    found = {one.part: one for one in drift(slower, soak)}
    assert (found["database"].first_p50, found["database"].last_p50) == (2.0, 3.0)
    assert found["database"].change == pytest.approx(0.5)
    assert found["web"].change == pytest.approx(0)


def test_the_timeline_puts_a_request_into_the_second_in_which_it_was_due() -> None:
    every = parse(ONE.replace(b"1010.000,10.000", b"2010.000,1010.000") + LOST)
    columns = timeline(every, plan().segments, 3)
    assert list(columns["sent"]) == [0, 1, 1]
    assert list(columns["good"]) == [0, 1, 0]
    assert list(columns["errors"]) == [0, 1, 0]
    assert list(columns["asked"]) == [100, 100, 100]
    assert columns["total_p99"][1] == 10_000
    assert math.isnan(columns["total_p99"][0])
