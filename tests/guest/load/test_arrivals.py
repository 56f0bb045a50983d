"""When requests are due and what they request: the load generator's modules, run by k6 on example plans."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from cloudinit import LoadPlan, Profile, arrivals, rate_at, render_load_plan
from cloudinit.files.load.agent.generator import OPTIONS
from tests.guest.guest_root import GuestRoot
from tests.unit.cloudinit.guest_examples import web_with_load

PLAN = LoadPlan(
    profile=Profile.SPIKE,
    rps=50,
    peak=200,
    seconds=10,
    concurrency=20,
    accounts=1_000_000,
    mix={"random": 50, "hot": 20, "missing": 10, "slow": 5, "write": 15},
    seed=7,
    sampled=0.25,
)
PLANS: dict[str, LoadPlan] = {
    **{profile.value: replace(PLAN, profile=profile) for profile in Profile},
    "slow ramp": replace(PLAN, profile=Profile.RAMP, rps=1, peak=3, seconds=3000),
    "flat ramp": replace(PLAN, profile=Profile.RAMP, rps=50, peak=50),
    "another seed": replace(PLAN, seed=8),
    "hot only": replace(PLAN, mix={"random": 0, "hot": 1, "missing": 0, "slow": 0, "write": 0}),
    "one branch": replace(PLAN, accounts=100_000),
    "unsampled": replace(PLAN, sampled=0.0),
}
NUMBERS = 1600
SCRIPT = """
import { dueTimes } from '/usr/local/lib/virtwork/load/arrivals.js';
import { choices } from '/usr/local/lib/virtwork/load/choices.js';
const plans = JSON.parse(open('/opt/test/plans.json'));
export default function () {
  for (const [name, plan] of Object.entries(plans)) {
    const due = dueTimes(plan);
    const choose = choices(plan);
    const numbers = Array.from({ length: %d }, (_, number) => number);
    console.log(JSON.stringify([name, numbers.map(due), numbers.map(choose), choose(2 ** 33 + 5), due(2 ** 33)]));
  }
}
"""


@pytest.fixture(scope="module")
def worked_out(guest: GuestRoot) -> dict[str, dict[str, Any]]:
    """Due times and requests of each plan, including those of one very large number."""
    guest.write_files(web_with_load())
    guest.write("/opt/test/plans.json", json.dumps({name: json.loads(render_load_plan(PLANS[name])) for name in PLANS}))
    guest.write("/opt/test/work.js", SCRIPT % NUMBERS)
    said = guest.run("env", "HOME=/root", "k6", *OPTIONS, "/opt/test/work.js")
    found = {}
    for name, due, chosen, far, far_due in map(json.loads, said.splitlines()):
        found[name] = {"due": due, "chosen": chosen, "far": far, "far_due": far_due}
    return found


@pytest.mark.parametrize("name", PLANS)
def test_each_request_is_due_when_the_rates_integral_reaches_its_number(
    name: str, worked_out: dict[str, dict[str, Any]]
) -> None:
    due, plan = worked_out[name]["due"], PLANS[name]
    assert due[0] == 0
    count, previous = 0.0, 0.0
    for number, milliseconds in enumerate(due[: arrivals(plan.segments)]):
        # The integral grows by one between two arrivals; the rate is linear except where a step lies between them.
        seconds = milliseconds / 1000
        middle = rate_at(plan.segments, (previous + seconds) / 2)
        step = (seconds - previous) * middle
        if rate_at(plan.segments, previous) == rate_at(plan.segments, max(previous, seconds - 1e-9)):
            assert step == pytest.approx(min(number, 1), abs=0.01), f"{number} at {seconds} s"
        count, previous = count + step, seconds
    assert count == pytest.approx(min(NUMBERS, arrivals(plan.segments)) - 1, abs=3)


@pytest.mark.parametrize("name", PLANS)
def test_due_times_increase_and_stay_within_the_plan(name: str, worked_out: dict[str, dict[str, Any]]) -> None:
    due, plan = worked_out[name]["due"], PLANS[name]
    assert all(before < after for before, after in pairwise(due))
    assert due[: arrivals(plan.segments)][-1] < plan.seconds * 1000


def test_a_plan_repeats_after_its_last_request(worked_out: dict[str, dict[str, Any]]) -> None:
    due, whole = worked_out["spike"]["due"], arrivals(PLAN.segments)
    assert due[whole : 2 * whole] == pytest.approx([10_000 + time for time in due[:whole]])
    rounds, rest = divmod(2**33, whole)
    assert worked_out["spike"]["far_due"] == pytest.approx(rounds * 10_000 + due[rest], abs=0.01)


def test_kinds_follow_their_weights(worked_out: dict[str, dict[str, Any]]) -> None:
    kinds = Counter(request["kind"] for request in worked_out["spike"]["chosen"])
    for kind, weight in PLAN.mix.items():
        assert kinds[kind] / NUMBERS == pytest.approx(weight / 100, abs=0.04), kind
    assert {request["kind"] for request in worked_out["hot only"]["chosen"]} == {"hot"}


def test_every_kind_requests_what_its_name_says(worked_out: dict[str, dict[str, Any]]) -> None:
    ids: dict[str, list[int]] = {kind: [] for kind in PLAN.mix}
    deltas = []
    for request in worked_out["spike"]["chosen"]:
        collection, _, number = request["path"].partition("/")
        assert collection == ("branches" if request["kind"] == "slow" else "accounts")
        ids[request["kind"]].append(int(number))
        if request["kind"] == "write":
            deltas.append(json.loads(request["body"])["delta"])
        else:
            assert request["body"] is None
    assert set(ids["hot"]) == {1}
    assert set(ids["slow"]) == set(range(1, 11)), "1,000,000 accounts are 10 branches"
    for kind, least in (("random", 1), ("write", 1), ("missing", 1_000_001)):
        shares = [(number - least) / 1_000_000 for number in ids[kind]]
        assert 0 <= min(shares) < 0.05, kind
        assert 0.95 < max(shares) < 1, kind
        assert sum(shares) / len(shares) == pytest.approx(0.5, abs=0.1), kind
        assert len(set(shares)) > 0.99 * len(shares), kind
    assert -5000 <= min(deltas) < -4500
    assert 4500 < max(deltas) <= 5000
    assert {request["path"] for request in worked_out["one branch"]["chosen"] if request["kind"] == "slow"} == {
        "branches/1"
    }


def test_requests_depend_on_seed_and_number_alone(worked_out: dict[str, dict[str, Any]]) -> None:
    same, other = worked_out["ramp"]["chosen"], worked_out["another seed"]["chosen"]
    chosen = worked_out["spike"]["chosen"]
    assert same == chosen, "another profile, the same seed"
    differing = [1 for one, another in zip(chosen, other, strict=True) if one["path"] != another["path"]]
    assert len(differing) > NUMBERS / 2
    assert worked_out["spike"]["far"] not in chosen, "a number beyond 32 bits does not wrap around"


def test_trace_ids_are_unique_and_their_prefix_decides_sampling(
    worked_out: dict[str, dict[str, Any]],
) -> None:
    chosen = worked_out["spike"]["chosen"]
    assert len({request["trace"] for request in chosen}) == NUMBERS
    assert all(len(request["trace"]) == 16 for request in chosen)
    for request in chosen:
        assert request["sampled"] == (int(request["trace"][:8], 16) / 2**32 < 0.25)
    assert sum(request["sampled"] for request in chosen) / NUMBERS == pytest.approx(0.25, abs=0.05)
    assert not any(request["sampled"] for request in worked_out["unsampled"]["chosen"])
