"""The load plan: what is refused, and that every reader gets what was written."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudinit import LARGEST_SEED, MIX, LoadPlan, Profile, parse_load_plan, render_load_plan

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


@given(plans)
def test_a_plan_is_read_as_it_was_written(plan: LoadPlan) -> None:
    assert parse_load_plan(render_load_plan(plan)) == plan


def test_a_written_plan_says_what_follows_from_it() -> None:
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
        ({"seed": 2**32}, "seed of a load plan must be at most 4294967295"),
        ({"sampled": 1.1}, "sampled of a load plan must be a share from 0 to 1, not 1.1"),
        ({"sampled": float("nan")}, "sampled of a load plan must be a share"),
        ({"run": "Not This"}, "run of a load plan is at most 63 of a-z, 0-9 and -, not 'Not This'"),
        ({"run": "a" * 64}, "run of a load plan"),
        ({"run": "a\n"}, "run of a load plan"),
    ],
)
def test_a_plan_that_no_load_can_be_generated_with_is_refused(change: dict[str, Any], words: str) -> None:
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
def test_a_text_that_is_no_plan_is_refused(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parse_load_plan(text)
