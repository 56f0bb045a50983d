"""The fault plan: when each machine injects which fault."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from cloudinit.files.faults.fault_plan import (
    KILL_SECONDS,
    Fault,
    FaultPlan,
    Kind,
    due,
    parse_fault_plan,
    render_fault_plan,
)

FREEZE = Fault(title="database process: freeze", tier="database", kind=Kind.FREEZE, start=10, duration=5)
RUN = FaultPlan(run="a-run", started=1000.0, seconds=60, faults=[FREEZE])


def names(plan: FaultPlan, now: float, *, tier: str = "database", machine: int = 0) -> list[str]:
    return [one.id for one in due(plan, tier, machine, now)]


def test_a_plan_is_read_as_it_was_written() -> None:
    assert parse_fault_plan(render_fault_plan(RUN)) == RUN


@pytest.mark.parametrize(
    ("now", "expected"), [(1009.9, []), (1010, ["a-run-0-0"]), (1014.9, ["a-run-0-0"]), (1015, [])]
)
def test_a_fault_is_due_from_its_start_until_its_duration_is_over(now: float, expected: list[str]) -> None:
    assert names(RUN, now) == expected


def test_a_late_machine_gets_the_rest_of_a_fault_and_not_more() -> None:
    (occurrence,) = due(RUN, "database", 0, 1013.0)
    assert (occurrence.begin, occurrence.end) == (1010, 1015)


def test_a_repeated_fault_has_a_name_for_each_time() -> None:
    plan = replace(RUN, faults=[replace(FREEZE, repeat=3, interval=20)])
    assert [names(plan, 1000.0 + second) for second in (12, 32, 52, 20)] == [
        ["a-run-0-0"],
        ["a-run-0-1"],
        ["a-run-0-2"],
        [],
    ]


def test_a_kill_is_due_for_a_moment_only() -> None:
    plan = replace(RUN, faults=[replace(FREEZE, kind=Kind.KILL, duration=0)])
    assert names(plan, 1010.0) == ["a-run-0-0"]
    assert names(plan, 1010.0 + KILL_SECONDS) == []


def test_nothing_is_due_before_and_after_the_run_and_on_other_tiers() -> None:
    whole = replace(RUN, faults=[replace(FREEZE, start=0, duration=60)])
    assert names(whole, 1030.0)
    assert not names(whole, 999.9)
    assert not names(whole, 1060.0)
    assert not names(whole, 1030.0, tier="web")


@pytest.mark.parametrize(("machine", "expected"), [(0, True), (1, False), (-1, False)])
def test_a_fault_of_one_machine_is_that_of_the_first(machine: int, *, expected: bool) -> None:
    assert bool(names(replace(RUN, faults=[replace(FREEZE, one=True)]), 1012.0, machine=machine)) is expected


def test_the_stacks_own_plan_starts_anew_at_the_same_times_on_all_machines() -> None:
    stack = FaultPlan(seconds=60, faults=[FREEZE])
    assert names(stack, 6000.0 + 12) == ["100-0-0"]
    assert names(stack, 6060.0 + 12) == ["101-0-0"]
    assert names(stack, 6000.0 + 20) == []


@pytest.mark.parametrize(
    ("change", "conflict"),
    [
        ({}, True),
        ({"start": 14}, True),
        ({"start": 15}, False),
        ({"kind": Kind.KILL, "duration": 0, "start": 12}, True),
        ({"kind": Kind.CPU}, False),
        ({"tier": "web"}, False),
        ({"start": 0, "duration": 2, "repeat": 4, "interval": 4}, True),
    ],
    ids=str,
)
def test_faults_that_a_machine_cant_have_at_once_conflict(change: dict[str, object], *, conflict: bool) -> None:
    other = replace(FREEZE, **change)  # type: ignore[arg-type]
    assert FREEZE.conflicts_with(other) is conflict
    assert other.conflicts_with(FREEZE) is conflict


@pytest.mark.parametrize(
    "change",
    [
        {"faults": None},
        {"seconds": 0},
        {"started": 0},
        {"faults": [{}]},
        {"faults": [{"title": "a", "tier": "web", "kind": "flood", "start": 0, "duration": 1}]},
        {"faults": [{"title": "a", "tier": "web", "kind": "freeze", "start": 0, "duration": 0}]},
        {"unknown": 1},
    ],
    ids=str,
)
def test_what_is_not_a_plan_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        parse_fault_plan(json.dumps(json.loads(render_fault_plan(RUN)) | change))


@pytest.mark.parametrize("text", ["", "[]", "{", "{}"])
def test_what_is_not_a_document_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        parse_fault_plan(text)
