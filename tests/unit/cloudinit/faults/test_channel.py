"""What the proxy does to data on its way: the same as netem does to packets."""

from __future__ import annotations

import asyncio
import statistics

import pytest

from cloudinit.files.faults.network import Impairment
from cloudinit.files.faults.proxy import RETRANSMISSION, SEGMENT, Channel


def channel(*, there: bool = True, **impairment: float) -> Channel:
    return Channel(Impairment(**impairment), latency=there, passing=asyncio.Event())


def test_data_to_the_tier_behind_arrives_later_by_the_latency() -> None:
    assert channel(latency=0.05).arrival(100, 10.0) == pytest.approx(10.05)
    assert channel(there=False, latency=0.05).arrival(100, 10.0) == 10.0


def test_jitter_varies_the_latency_but_not_the_order() -> None:
    one = channel(latency=0.05, jitter=0.02)
    alone = [one.arrival(1, 10.0 * number) - 10.0 * number for number in range(1, 500)]
    assert min(alone) < 0.034
    assert max(alone) > 0.066
    assert statistics.mean(alone) == pytest.approx(0.05, abs=0.003)
    together = [one.arrival(1, 10_000 + number / 1000) for number in range(500)]
    assert together == sorted(together)


def test_bandwidth_is_shared_by_all_data_in_a_direction() -> None:
    one = channel(bandwidth=1000.0)
    assert one.arrival(500, 10.0) == pytest.approx(10.5)
    assert one.arrival(1000, 10.1) == pytest.approx(11.5)
    assert one.arrival(1000, 20.0) == pytest.approx(21.0)


def test_a_lost_segment_stalls_the_connection_until_it_is_sent_again() -> None:
    stalls = [channel(loss=0.1).arrival(SEGMENT, 0.0) for _ in range(2000)]
    stalled = [one for one in stalls if one]
    assert len(stalled) / len(stalls) == pytest.approx(0.1, abs=0.03)
    assert min(stalled) == pytest.approx(RETRANSMISSION)
    large = sum(channel(loss=0.1).arrival(10 * SEGMENT, 0.0) > 0 for _ in range(1000))
    assert large / 1000 == pytest.approx(1 - 0.9**10, abs=0.06)
    assert channel(loss=1.0).arrival(1, 0.0) < 200


def test_nothing_is_delayed_once_data_passes() -> None:
    passing = asyncio.Event()
    passing.set()
    one = Channel(Impairment(latency=1.0, loss=0.5, bandwidth=1.0), latency=True, passing=passing)
    assert [one.arrival(10_000, float(now)) for now in range(5)] == [0.0, 1.0, 2.0, 3.0, 4.0]
