"""The agent: which faults it starts and ends, and what it reports."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from cloudinit.files.faults import injection
from cloudinit.files.faults.agent import RUN, STACK, Agent
from cloudinit.files.faults.commands import EffectError
from cloudinit.files.faults.effects import Machine
from cloudinit.files.faults.fault_plan import Fault, FaultPlan, Kind, render_fault_plan
from cloudinit.files.faults.kubernetes import Contents, SourceError
from cloudinit.files.faults.records import Record, Records

NOW = 6_000_010.0
FREEZE = Fault(title="web process: freeze", tier="web", kind=Kind.FREEZE, start=5, duration=20)
PLAN = FaultPlan(run="a-run", started=NOW - 10, seconds=60, faults=[FREEZE])
CPU = replace(FREEZE, title="web stress: cpu", kind=Kind.CPU, parameters={"load": 0.5}, duration=50)


class Guest:
    """An agent whose systemd only remembers what it was asked for."""

    def __init__(self, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.records = Records(directory)
        self.calls: list[str] = []
        self.reports: list[str] = []
        self.refusals = 0
        monkeypatch.setattr(injection, "start", self._start)
        monkeypatch.setattr(injection, "stop", self._stop)
        self.restart()

    def restart(self) -> None:
        self.agent = Agent(Machine("web", 0, "nginx.service", 8080, None), self.records, self._publish)

    def step(self, now: float = NOW, **plans: FaultPlan | str) -> list[str]:
        """Give the agent a plan, and return what it asks systemd for."""
        self.calls.clear()
        keys = {"run": RUN, "stack": STACK}
        texts = {keys[key]: one if isinstance(one, str) else render_fault_plan(one) for key, one in plans.items()}
        self.agent.take(Contents(texts, {}))
        self.agent.step(now)
        return self.calls

    def _start(self, record: Record) -> None:
        self.calls.append(f"start {record.id}")
        if record.fault.kind is Kind.KILL:
            raise EffectError("systemd refused")
        self.records.began(record.id, "")

    def _stop(self, name: str) -> None:
        self.calls.append(f"stop {name}")

    def _publish(self, text: str) -> None:
        if self.refusals:
            self.refusals -= 1
            raise SourceError("away")
        self.reports.append(text)


@pytest.fixture
def guest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Guest:
    return Guest(tmp_path, monkeypatch)


def test_a_fault_is_started_once_even_by_an_agent_that_was_restarted(guest: Guest) -> None:
    assert guest.step(run=PLAN) == ["start a-run-0-0"]
    assert guest.step(run=PLAN) == []
    guest.restart()
    assert guest.step(run=PLAN) == []


def test_a_fault_that_is_over_is_not_started(guest: Guest) -> None:
    assert guest.step(PLAN.started + 25, run=PLAN) == []


def test_a_fault_ends_early_once_its_plan_is_gone(guest: Guest) -> None:
    guest.step(run=PLAN)
    assert guest.step() == ["stop a-run-0-0"]


def test_nothing_is_stopped_while_the_plan_is_unknown(guest: Guest) -> None:
    guest.step(run=PLAN)
    guest.restart()
    guest.calls.clear()
    guest.agent.lose("the API server is unreachable")
    guest.agent.step(NOW)
    assert guest.calls == []


def test_a_run_replaces_the_stacks_own_faults_until_it_is_over(guest: Guest) -> None:
    stack = FaultPlan(seconds=60, faults=[CPU])
    (own,) = guest.step(stack=stack)
    assert guest.step(stack=stack, run=PLAN) == [own.replace("start", "stop"), "start a-run-0-0"]
    later = PLAN.started + 60 + 5
    assert [call.partition("-")[0] for call in guest.step(later, stack=stack, run=PLAN)] == ["start 100001"]


def test_an_invalid_plan_asks_for_nothing(guest: Guest) -> None:
    assert guest.step(run="{") == []


def test_what_became_of_the_faults_is_published_when_it_changes_until_that_works(guest: Guest) -> None:
    guest.refusals = 1
    guest.step(run=PLAN)
    assert guest.reports == []
    guest.step(run=PLAN)
    guest.step(run=PLAN)
    (text,) = guest.reports
    (report,) = json.loads(text)
    assert report["title"] == FREEZE.title
    assert report["began"]
    guest.records.ended("a-run-0-0")
    guest.step(run=PLAN)
    assert json.loads(guest.reports[-1])[0]["ended"]


def test_a_fault_that_systemd_refuses_is_reported_with_the_reason(guest: Guest) -> None:
    guest.step(run=replace(PLAN, faults=[replace(FREEZE, kind=Kind.KILL, duration=0, start=9)]))
    assert [(one.began, one.problem) for one in guest.records.all()] == [(None, "systemd refused")]


def test_a_fault_of_which_nobody_noted_the_end_does_not_count_as_active_for_ever(guest: Guest) -> None:
    guest.step(run=PLAN)
    guest.step(NOW + 100)
    (record,) = guest.records.all()
    assert not record.active
    assert "not known" in record.problem
