"""Sample lines, and the parts of a request's latency."""

from __future__ import annotations

import math

import numpy as np
import pytest

from measure.analysis.recording import SampleBuffer
from measure.analysis.samples import LEAVES, parse, part
from measure.analysis.statistics import percentiles
from measure.failures import NotServingError
from tests.unit.measure.synthetic import LOST, ONE, plan, samples


def test_a_line_is_parsed() -> None:
    (sample,) = parse(ONE)
    assert (sample["number"], sample["status"]) == (7, 200)
    assert (sample["kind"], sample["trace"]) == (b"random", b"00000000000000ff")


def test_the_parts_follow_from_the_times() -> None:
    expected = {
        "total": 18, "client": 8, "generator": 0, "wait": 10, "web": 3, "application": 3, "code": 1.5, "pool": 1,
        "database_connect": 0.5, "database": 2, "unattributed": 0, "client_connect": 0.5,
        "database response": 3.5, "application response": 5,
    }  # fmt: skip
    assert {name: part(parse(ONE), name)[0] for name in expected} == expected


def test_latency_counts_from_the_scheduled_time_through_a_standstill_of_the_generator() -> None:
    """k6 stands still for a second: 150 connections are free, so that no request waits for one (`wait` is 0)."""
    every = samples(plan(concurrency=150), standstill=(4000.0, 5000.0))
    total = part(every, "total")
    assert total.max() == pytest.approx(1000, abs=10)
    assert part(every, "generator").max() == pytest.approx(1000, abs=10)
    assert part(every, "wait").max() == 0
    assert total == pytest.approx(every["sent"] + every["client"] - every["due"])
    assert sum(np.nan_to_num(part(every, name)) for name in LEAVES) == pytest.approx(total, rel=1e-12)
    assert (percentiles(total, [990])[0] or 0) > 800


def test_a_request_that_a_timer_sent_early_is_not_faster_for_it() -> None:
    early = parse(ONE.replace(b"1000.000,1010.000,10.000", b"1000.000,999.400,0.000"))
    assert [part(early, name)[0] for name in ("total", "generator", "wait")] == [8, 0, 0]


def test_all_time_of_a_request_without_a_response_is_unattributed() -> None:
    lost = parse(LOST)
    assert part(lost, "total")[0] == part(lost, "unattributed")[0] == 10_000
    assert all(math.isnan(part(lost, name)[0]) for name in ("web", "application", "code", "database"))


@pytest.mark.parametrize("line", [b"1,2,3\n", ONE.replace(b"7,", b"seven,"), b"<html>\n"])
def test_anything_but_a_sample_is_refused(line: bytes) -> None:
    with pytest.raises(NotServingError, match="The samples can't be parsed"):
        parse(line)


def test_a_buffer_keeps_every_sample_as_it_grows_and_drops_the_oldest_half() -> None:
    buffer = SampleBuffer()
    for number in range(0, 9000, 300):
        buffer.append(b"".join(b"%d,%s" % (number + each, ONE.partition(b",")[2]) for each in range(300)))
    assert list(buffer.samples["number"]) == list(range(9000))
    buffer.drop_oldest_half()
    buffer.append(b"9000,%s" % ONE.partition(b",")[2])
    assert list(buffer.samples["number"]) == list(range(4500, 9001))
