"""The load plan: validation, the round trip through its text, and the shapes of its profiles."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudinit import (
    LARGEST_SEED,
    MIX,
    LoadPlan,
    Profile,
    Segment,
    arrivals,
    parse_load_plan,
    rate_at,
    render_load_plan,
    segments,
)

GOOD: dict[str, Any] = {
    "profile": Profile.SPIKE,
    "rps": 50,
    "peak": 200,
    "seconds": 60,
    "concurrency": 20,
    "accounts": 100_000,
    "mix": {"random": 80, "hot": 15, "missing": 5, "slow": 0, "write": 0},
    "seed": 1,
}

plans = st.builds(
    lambda rps, more, **values: LoadPlan(rps=rps, peak=rps + more, **values),
    profile=st.sampled_from(Profile),
    rps=st.integers(1, 10_000),
    more=st.integers(0, 10_000),
    seconds=st.integers(1, 86_400),
    concurrency=st.integers(1, 10_000),
    accounts=st.integers(1, 2**31 - 1),
    mix=st.fixed_dictionaries({kind: st.integers(0, 100) for kind in MIX}).filter(lambda mix: any(mix.values())),
    seed=st.integers(0, LARGEST_SEED),
    sampled=st.floats(0, 1),
    run=st.from_regex(r"[a-z0-9-]{0,63}", fullmatch=True),
)


@settings(max_examples=30)
@given(plans)
def test_a_plan_survives_the_round_trip_through_its_text(plan: LoadPlan) -> None:
    assert parse_load_plan(render_load_plan(plan)) == plan


def test_a_rendered_plan_contains_its_segments_and_arrivals() -> None:
    document = json.loads(render_load_plan(LoadPlan(**GOOD)))
    assert document["segments"] == [
        {"seconds": 24.0, "begin": 50, "end": 50},
        {"seconds": 12.0, "begin": 200, "end": 200},
        {"seconds": 24.0, "begin": 50, "end": 50},
    ]
    assert document["arrivals"] == 4800
    assert (document["profile"], document["run"], document["sampled"]) == ("spike", "", 1.0)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"rps": 0}, "rps of a load plan must be at least 1, not 0"),
        ({"rps": 1.5}, "rps of a load plan must be a whole number, not 1.5"),
        ({"seconds": True}, "seconds of a load plan must be a whole number, not True"),
        ({"concurrency": -1}, "concurrency of a load plan must be at least 1"),
        ({"accounts": 0}, "accounts of a load plan"),
        ({"peak": 49}, "peak of a load plan must be at least its rps, 50, not 49"),
        ({"profile": "sawtooth"}, "profile of a load plan must be one of constant, ramp, stress, spike, soak"),
        ({"mix": {"random": 1}}, "mix of a load plan has exactly the keys random, hot, missing, slow, write"),
        ({"mix": dict.fromkeys(MIX, 0)}, "mix of a load plan must not be all zero"),
        ({"mix": {**GOOD["mix"], "hot": -1}}, "mix.hot of a load plan must be at least 0, not -1"),
        ({"seed": -1}, "seed of a load plan must be at least 0"),
        ({"seed": 2**32}, "seed of a load plan must be at most 4,294,967,295"),
        ({"sampled": 1.1}, "sampled of a load plan must be a share from 0 to 1, not 1.1"),
        ({"sampled": float("nan")}, "sampled of a load plan must be a share"),
        ({"run": "Not This"}, "run of a load plan is at most 63 of a-z, 0-9 and -, not 'Not This'"),
        ({"run": "a" * 64}, "run of a load plan"),
        ({"run": "a\n"}, "run of a load plan"),
    ],
)
def test_an_invalid_plan_is_rejected(change: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        LoadPlan(**(GOOD | change))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{broken", "Expecting property name"),
        ("[]", "A load plan is a JSON object"),
        ("{}", "profile, rps, peak, seconds, concurrency, accounts, mix, seed, sampled, run of a load plan is missing"),
        (json.dumps({**GOOD, "sampled": 1.0, "run": "", "rps": "50"}), "rps of a load plan must be a whole number"),
        (
            json.dumps({**GOOD, "sampled": 1.0, "run": "", "profile": ["spike"]}),
            "profile of a load plan must be one of",
        ),
    ],
)
def test_a_text_that_is_no_plan_is_rejected(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parse_load_plan(text)


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
    # The midpoint rule is exact for straight lines, except in the slices where the rate jumps.
    slices = 500
    integral = sum(rate_at(course, (each + 0.5) * seconds / slices) for each in range(slices)) * seconds / slices
    jumps = len(course) * more * seconds / slices
    assert arrivals(course) == pytest.approx(integral, abs=1 + jumps)


@given(profile=profiles, rps=rates, more=st.integers(0, 10_000), seconds=lengths)
def test_the_rate_starts_at_rps_and_stays_between_rps_and_peak(
    profile: Profile, rps: int, more: int, seconds: int
) -> None:
    course = segments(profile, rps=rps, peak=rps + more, seconds=seconds)
    ends = [rate for segment in course for rate in (segment.begin, segment.end)]
    assert ends[0] == rps
    assert max(ends) == (rps if profile in (Profile.CONSTANT, Profile.SOAK) else rps + more)
    assert min(ends) == rps


@given(profile=st.sampled_from([Profile.RAMP, Profile.STRESS]), rps=rates, more=rates, seconds=lengths)
def test_ramp_and_stress_only_rise(profile: Profile, rps: int, more: int, seconds: int) -> None:
    course = segments(profile, rps=rps, peak=rps + more, seconds=seconds)
    ends = [rate for segment in course for rate in (segment.begin, segment.end)]
    assert all(before <= after for before, after in pairwise(ends))


def test_stress_climbs_to_the_peak_in_ten_equal_steps() -> None:
    course = segments(Profile.STRESS, rps=100, peak=1000, seconds=60)
    assert [segment.begin for segment in course] == [100 * step for step in range(1, 11)]
    assert all(segment.seconds == 6 and segment.begin == segment.end for segment in course)
    assert arrivals(course) == 6 * 5500


def test_a_spike_is_the_middle_fifth() -> None:
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
