"""Outages, slow answers and the recovery are read off what came of each request."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from faults.recovery import LEAST_BOUND, STABLE_SECONDS, Impact, impact, latency_bound, requests, unavailable

RATE = 20
START, END = 10.0, 14.0
UNTIL = 40.0
QUICK, SLOW = 0.01, 1.0


def observed(good: Callable[[float], bool], took: Callable[[float], float] = lambda _: QUICK) -> Impact:
    """Return the impact on requests at a constant rate, of which these succeed and take so long."""
    dues = [number / RATE for number in range(int(UNTIL * RATE))]
    return impact(requests((due, took(due), good(due)) for due in dues), START, END, UNTIL)


def test_a_fault_that_nobody_notices_has_no_impact() -> None:
    found = observed(lambda _: True)
    assert (found.errors, found.slow, found.unavailable_s, found.recovery_s) == (0, 0, 0, 0)
    assert found.requests == (UNTIL - START) * RATE


def test_an_outage_lasts_from_the_first_failed_request_to_the_next_good_one() -> None:
    found = observed(lambda due: not 11 <= due < 16)
    assert found.errors == 5 * RATE
    assert found.unavailable_s == pytest.approx(5)
    assert found.recovery_s == 2


def test_half_of_all_requests_failing_is_no_outage_and_no_recovery() -> None:
    found = observed(lambda due: due < START or round(due * RATE) % 2 == 0)
    assert (found.unavailable_s, found.recovery_s) == (0, None)
    assert found.errors == found.requests / 2


def test_a_second_without_errors_is_not_yet_the_recovery() -> None:
    found = observed(lambda due: not (START <= due < 15 or 16 <= due < 17))
    assert found.recovery_s == 3


def test_slow_answers_delay_the_recovery() -> None:
    found = observed(lambda _: True, lambda due: SLOW if START <= due < 20 else QUICK)
    assert (found.errors, found.slow, found.recovery_s) == (0, 10 * RATE, 6)


def test_an_outage_that_lasts_until_the_end_counts_and_never_recovers() -> None:
    found = observed(lambda due: due < START)
    assert found.unavailable_s == pytest.approx(UNTIL - START, abs=0.1)
    assert found.recovery_s is None


def test_seconds_whose_requests_are_on_their_way_are_not_judged() -> None:
    dues = [number / RATE for number in range(int(20 * RATE))]
    sent = requests((due, QUICK, True) for due in dues)
    assert impact(sent, START, END, END + STABLE_SECONDS - 0.1).recovery_s is None
    assert impact(sent, START, END, END + STABLE_SECONDS).recovery_s == 0


def test_the_bound_follows_the_latency_before_the_fault() -> None:
    assert latency_bound(requests([])) == LEAST_BOUND
    assert latency_bound(requests((float(number), QUICK, True) for number in range(10))) == LEAST_BOUND
    assert latency_bound(requests((float(number), SLOW, True) for number in range(10))) == 3 * SLOW


def test_two_outages_add_up() -> None:
    failed = [*range(20, 40), *range(60, 80)]
    found = requests((number / RATE, QUICK, number not in failed) for number in range(100))
    assert unavailable(found) == pytest.approx(2)
