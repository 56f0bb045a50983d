"""The clocks of a request."""

from __future__ import annotations

import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudinit.files.application.clocks import ACQUIRE, APP, CONNECT, QUERY, Clocks, clocks_class


def microseconds(server_timing: str) -> dict[str, int]:
    parts = (part.split(";dur=") for part in server_timing.split(", "))
    return {name: round(float(duration) * 1000) for name, duration in parts}


@given(st.lists(st.integers(0, 10**10), min_size=8, max_size=8, unique=True))
def test_the_parts_never_add_up_to_more_than_the_whole(readings: list[int]) -> None:
    app, acquire, connect, connected, acquired, query, queried, answered = sorted(readings)
    clocks = Clocks()
    clocks.intervals |= {
        APP: (app, answered),
        ACQUIRE: (acquire, acquired),
        CONNECT: (connect, connected),
        QUERY: (query, queried),
    }
    *parts, whole = microseconds(clocks.server_timing()).values()
    assert sum(parts) <= whole
    assert min(parts) >= 0


def test_a_second_address_belongs_to_the_same_connect(monkeypatch: pytest.MonkeyPatch) -> None:
    readings = iter([100, 200, 700, 900])
    monkeypatch.setattr("cloudinit.files.application.clocks.perf_counter_ns", lambda: next(readings))
    clocks = Clocks()
    clocks.start(CONNECT)
    clocks.start(CONNECT)
    clocks.end(CONNECT)
    clocks.end(CONNECT)
    assert clocks.nanoseconds(CONNECT) == 600


def test_unix_times_are_as_far_apart_as_the_readings() -> None:
    clocks = Clocks()
    seconds = [clocks.unix_nanoseconds(reading) for reading in (10, 1010, 5_000_000_010)]
    assert [second - first for first, second in pairwise(seconds)] == [1000, 4_999_999_000]
    assert abs(clocks.unix_nanoseconds(time.perf_counter_ns()) - time.time_ns()) < 10**8


def test_without_attribution_the_clocks_measure_nothing() -> None:
    assert clocks_class("on") is Clocks
    clocks = clocks_class("off")()
    clocks.start(APP)
    clocks.end(APP)
    assert (clocks.intervals, clocks.server_timing(), clocks.milliseconds(QUERY)) == ({}, "", 0)
    with pytest.raises(ValueError, match="must be on or off"):
        clocks_class("0")
