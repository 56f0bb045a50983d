"""Delivery: what was sent, how evenly, and why not more."""

from __future__ import annotations

import numpy as np
import pytest

from measure.analysis.causes import busy, shortfall
from measure.analysis.delivery import burstiness, delivery
from measure.analysis.samples import parse
from tests.unit.measure.synthetic import LOST, ONE, Response, plan, samples


def test_a_clock_is_evenly_spaced_and_bursts_are_not() -> None:
    every = samples(plan(rps=1000, peak=1000, seconds=3))
    assert (burstiness(every) or 0) < 0.1
    every["sent"] = np.floor(every["sent"] / 100) * 100
    assert (burstiness(every) or 0) > 5


def test_random_arrivals_have_the_burstiness_of_poisson() -> None:
    every = samples(plan(rps=1000, peak=1000))
    every["sent"] = np.random.default_rng(1).uniform(0, 10_000, len(every))
    assert burstiness(every) == pytest.approx(1, abs=0.15)


def test_busy_connections_are_counted_as_a_sweep_over_time_does() -> None:
    every = samples(plan(concurrency=4, seconds=5), lambda _, number: Response(web=float(number * 7 % 60)))
    moments = np.linspace(0, 5000, 25_000)
    starts, ends = np.sort(every["sent"]), np.sort(every["sent"] + every["client"])
    in_flight = np.searchsorted(starts, moments, side="right") - np.searchsorted(ends, moments, side="right")
    mean, most = busy(every)
    assert most == in_flight.max() == 4
    assert mean == pytest.approx(in_flight.mean(), rel=0.01)


def test_errors_are_counted_by_cause() -> None:
    gateway = ONE.replace(b"200,0,1", b"502,1502,0")
    found = delivery(parse(ONE + gateway + gateway + LOST), scheduled=5, shortfall=None)
    assert found.errors_by == {"HTTP 502": 2, "no response, k6 error 1050": 1}
    assert (found.errors, found.succeeded, found.error_rate, found.delivered_share) == (3, 1, 0.75, 0.8)
    assert (found.waited, found.waited_share) == (3, 0.75)


def test_a_run_that_sent_everything_has_no_shortfall() -> None:
    assert shortfall(samples(plan()), scheduled=1000, seconds=10, concurrency=10) is None


@pytest.mark.parametrize(
    ("columns", "cause"),
    [
        (["sent"], "the generator was 200 ms late (p99) with free connections: its machine is short of CPU"),
        (
            ["sent", "wait"],
            "waited although only 0 of 10 connections were busy: the generator's machine is short of CPU",
        ),
    ],
)
def test_a_late_generator_is_named_as_the_cause(columns: list[str], cause: str) -> None:
    late = samples(plan())[:900]
    for column in columns:
        late[column] += 200.0
    assert cause in (shortfall(late, scheduled=1000, seconds=10, concurrency=10) or "")
