"""The shapes of load: whatever the profile, its arrivals are the integral of its rate."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudinit import Profile, Segment, arrivals, rate_at, segments

profiles = st.sampled_from(Profile)
rates = st.integers(1, 10_000)
lengths = st.integers(1, 86_400)


@given(profile=profiles, rps=rates, more=rates, seconds=lengths)
def test_the_segments_last_as_long_as_the_profile(profile: Profile, rps: int, more: int, seconds: int) -> None:
    course = segments(profile, rps=rps, peak=rps + more, seconds=seconds)
    assert sum(segment.seconds for segment in course) == pytest.approx(seconds)


@given(profile=profiles, rps=rates, more=rates, seconds=st.integers(1, 600))
def test_the_arrivals_are_the_integral_of_the_rate(profile: Profile, rps: int, more: int, seconds: int) -> None:
    course = segments(profile, rps=rps, peak=rps + more, seconds=seconds)
    # The middle of each of many equal steps is exact for straight lines, but for the steps with a stair in them.
    steps = 2000
    integral = sum(rate_at(course, (step + 0.5) * seconds / steps) for step in range(steps)) * seconds / steps
    stairs = len(course) * more * seconds / steps
    assert arrivals(course) == pytest.approx(integral, abs=1 + stairs)


@given(profile=profiles, rps=rates, more=st.integers(0, 10_000), seconds=lengths)
def test_the_rate_begins_at_rps_and_never_leaves_the_range_up_to_the_peak(
    profile: Profile, rps: int, more: int, seconds: int
) -> None:
    course = segments(profile, rps=rps, peak=rps + more, seconds=seconds)
    ends = [rate for segment in course for rate in (segment.begin, segment.end)]
    assert ends[0] == rps
    assert max(ends) == (rps if profile in (Profile.CONSTANT, Profile.SOAK) else rps + more)
    assert min(ends) == rps


@given(profile=st.sampled_from([Profile.RAMP, Profile.STRESS]), rps=rates, more=rates, seconds=lengths)
def test_a_ramp_and_stairs_only_rise(profile: Profile, rps: int, more: int, seconds: int) -> None:
    course = segments(profile, rps=rps, peak=rps + more, seconds=seconds)
    ends = [rate for segment in course for rate in (segment.begin, segment.end)]
    assert all(before <= after for before, after in pairwise(ends))


def test_stress_climbs_ten_equal_stairs_to_the_peak() -> None:
    course = segments(Profile.STRESS, rps=100, peak=1000, seconds=60)
    assert [segment.begin for segment in course] == [100 * stair for stair in range(1, 11)]
    assert all(segment.seconds == 6 and segment.begin == segment.end for segment in course)
    assert arrivals(course) == 6 * 5500


def test_a_spike_is_a_fifth_of_the_time_in_the_middle() -> None:
    course = segments(Profile.SPIKE, rps=50, peak=200, seconds=60)
    assert course == (Segment(24, 50, 50), Segment(12, 200, 200), Segment(24, 50, 50))
    assert [rate_at(course, second) for second in (0, 23.9, 24, 35.9, 36, 59.9, 60)] == [50, 50, 200, 200, 50, 50, 0]
    assert arrivals(course) == 2 * 1200 + 2400


@pytest.mark.parametrize(
    ("profile", "rps", "peak", "seconds", "expected"),
    [
        (Profile.CONSTANT, 300, 1200, 30, 9000),
        (Profile.SOAK, 50, 50, 86_400, 4_320_000),
        (Profile.RAMP, 50, 200, 60, 7500),
        (Profile.RAMP, 1, 2, 1, 1),
        (Profile.STRESS, 3, 7, 3, 15),
        (Profile.SPIKE, 10, 30, 1, 14),
    ],
)
def test_rounding_loses_no_arrival(profile: Profile, rps: int, peak: int, seconds: int, expected: int) -> None:
    assert arrivals(segments(profile, rps=rps, peak=peak, seconds=seconds)) == expected
