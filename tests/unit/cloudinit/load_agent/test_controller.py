"""The controller: plans change, tiers are unreachable, k6 fails, the agent restarts."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from cloudinit import render_load_plan
from cloudinit.files.load.agent.desired_plans import DesiredPlans
from tests.unit.cloudinit.load_agent.scene import OTHER, SPIKE, STACK, Scene


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


def test_without_a_plan_nothing_runs(scene: Scene) -> None:
    assert scene.step() == {}
    assert scene.status == {"run": None, "last": None}
    assert not scene.processes


def test_the_stacks_plan_runs_forever(scene: Scene) -> None:
    scene.give()
    run = scene.begin()
    assert (run["id"], run["state"], run["started"], run["asked"]) == ("", "running", 1234.5, None)
    assert (run["first"], run["next"], len(run["trace"])) == (0, None, 16)
    assert run["plan"]["rps"] == 50
    scene.give()
    for _ in range(5):
        scene.step(10)
    assert len(scene.processes) == 1, "the same plan, read again, is not a new one"


def test_load_waits_for_the_tiers_and_reports_why(scene: Scene) -> None:
    scene.give()
    scene.unreachable = "http://web/api/v1/accounts/1 responds with 503: the application tier is not known yet"
    scene.step()
    for _ in range(5):
        run = scene.step(1)
    assert (run["state"], run["problem"], run["started"]) == ("waiting", scene.unreachable, None)
    assert not scene.processes
    scene.unreachable = ""
    scene.step(1)
    scene.k6.started = 1.0
    assert scene.step()["problem"] == ""


def test_a_changed_plan_replaces_the_current_one(scene: Scene) -> None:
    scene.give()
    scene.begin()
    before = scene.k6
    scene.give(replace(STACK, rps=60))
    run = scene.begin()
    assert before.stopped
    assert run["plan"]["rps"] == 60
    assert scene.status["last"] is None, "the stack's plans aren't kept"


def test_a_run_runs_once_and_then_the_stacks_plan_resumes(scene: Scene) -> None:
    scene.give()
    scene.begin()
    scene.samples.append([b"of the stack's plan"])
    scene.give(run=SPIKE)
    run = scene.begin()
    assert (run["id"], run["state"], run["first"]) == ("one-spike", "running", 20)
    assert run["asked"] == 24 * 50 + 12 * 200 + 24 * 50
    scene.samples.append([b"of the run"])
    scene.k6.exit_code = 0
    scene.step()
    last = scene.status["last"]
    assert (last["id"], last["state"], last["problem"]) == ("one-spike", "finished", "")
    assert (last["first"], last["next"]) == (20, 31)

    assert scene.begin()["id"] == ""
    for _ in range(5):
        scene.step(10)
    assert [process.run.plan.run for process in scene.processes] == ["", "one-spike", ""]


def test_a_finished_run_is_not_repeated_after_a_restart(scene: Scene) -> None:
    scene.give(run=SPIKE)
    scene.begin()
    scene.k6.exit_code = 0
    scene.step()
    scene.restart()
    assert scene.status["last"]["state"] == "finished"
    assert scene.begin()["id"] == ""


def test_removing_a_run_stops_it(scene: Scene) -> None:
    scene.give(run=SPIKE)
    scene.begin()
    scene.give()
    scene.step()
    assert scene.processes[0].stopped
    assert (scene.status["last"]["id"], scene.status["last"]["state"]) == ("one-spike", "stopped")
    assert scene.status["last"]["next"] == 0


def test_a_new_run_replaces_the_current_one(scene: Scene) -> None:
    scene.give(run=SPIKE)
    scene.begin()
    scene.give(run=OTHER)
    run = scene.begin()
    assert (scene.status["last"]["id"], scene.status["last"]["state"]) == ("one-spike", "stopped")
    assert (run["id"], run["state"]) == ("another-spike", "running")


def test_changing_the_plan_of_the_current_run_has_no_effect(scene: Scene) -> None:
    scene.give(run=SPIKE)
    scene.begin()
    scene.give(replace(STACK, rps=60), replace(SPIKE, rps=1))
    scene.step()
    assert (len(scene.processes), scene.k6.stopped) == (1, False)


def test_a_run_fails_with_k6_and_reports_why(scene: Scene) -> None:
    scene.give(run=SPIKE)
    scene.begin()
    scene.k6.exit_code, scene.k6.message = 107, "GoError: no such thing"
    scene.step()
    last = scene.status["last"]
    assert (last["state"], last["problem"]) == ("failed", "k6 exited with 107: GoError: no such thing")
    assert scene.step(5) != {}
    scene.step()
    assert scene.k6.run.plan.run == "", "half a run can't be resumed"


def test_k6_is_restarted_with_exponential_backoff(scene: Scene) -> None:
    scene.give()
    scene.begin()
    pauses = []
    for _ in range(8):
        scene.k6.exit_code, scene.k6.message = 2, "panic"
        assert scene.step()["state"] == "failed"
        assert scene.step()["problem"] == "k6 exited with 2: panic"
        begun, processes = scene.now, len(scene.processes)
        while len(scene.processes) == processes:
            scene.step(0.5)
        pauses.append(scene.now - begun)
    assert pauses == [1, 2, 4, 8, 16, 30, 30, 30]
    scene.k6.started, scene.k6.age = 1.0, 61.0
    scene.step()
    scene.k6.exit_code = 2
    scene.step()
    processes = len(scene.processes)
    scene.step(1)
    assert len(scene.processes) == processes + 1, "a minute of running resets the backoff"


def test_each_restart_of_the_stacks_plan_has_its_own_samples_and_traces(scene: Scene) -> None:
    scene.give()
    before = scene.begin()
    scene.samples.append([b"sample"])
    scene.k6.exit_code = 2
    assert scene.step()["next"] == 7
    scene.step(1)
    scene.k6.started = 2000.0
    after = scene.step()
    assert (after["first"], after["next"], after["started"], after["problem"]) == (7, None, 2000.0, "")
    assert after["trace"] != before["trace"]


def test_a_missing_k6_is_reported(scene: Scene) -> None:
    scene.give()
    scene.k6_missing = True
    scene.step()
    run = scene.step()
    assert run["state"] == "failed"
    assert "k6 could not be started: [Errno 2] No such file" in run["problem"]
    scene.k6_missing = False
    scene.step(1)
    scene.k6.started = 1.0
    assert scene.step()["state"] == "running"


def test_another_plan_is_tried_without_backoff(scene: Scene) -> None:
    scene.give()
    scene.k6_missing = True
    for _ in range(6):
        scene.step(60)
    scene.k6_missing = False
    scene.give(run=SPIKE)
    scene.step()
    scene.step()
    assert scene.k6.run.plan.run == "one-spike"


def test_a_k6_that_does_not_exit_is_stopped(scene: Scene) -> None:
    scene.give(run=SPIKE)
    scene.begin()
    scene.k6.elapsed = 79.0
    assert scene.step()["state"] == "running"
    scene.k6.elapsed = 81.0
    scene.step()
    assert scene.processes[0].stopped
    assert scene.status["last"]["problem"] == "k6 did not exit after the last request"


def test_a_run_that_a_restart_interrupts_has_failed_and_is_not_repeated(scene: Scene) -> None:
    scene.give(run=SPIKE)
    scene.begin()
    scene.samples.append([b"sample"])
    scene.restart()
    last = scene.status["last"]
    assert (last["state"], last["next"]) == ("failed", 7)
    assert last["problem"] == "the load generator was restarted during the run"
    assert scene.begin()["id"] == ""


def test_a_stopped_agent_stops_k6_and_the_run(scene: Scene) -> None:
    scene.give(run=SPIKE)
    scene.begin()
    scene.controller.close()
    assert scene.k6.stopped
    assert (scene.status["last"]["state"], scene.status["run"]) == ("stopped", None)
    scene.restart()
    assert scene.begin()["id"] == ""


def test_a_waiting_run_waits_again_after_a_restart(scene: Scene) -> None:
    scene.give(run=SPIKE)
    scene.unreachable = "away"
    scene.step()
    scene.step()
    scene.restart()
    assert scene.step()["id"] == "one-spike"


def test_a_slow_start_of_k6_does_not_count_against_the_run(scene: Scene) -> None:
    scene.give(run=replace(SPIKE, seconds=10))
    scene.step()
    scene.step()
    scene.k6.age = 45.0
    assert scene.step()["state"] == "waiting"
    scene.k6.started, scene.k6.elapsed = 1.0, 0.0
    assert scene.step()["state"] == "running"


def test_a_k6_that_never_starts_is_stopped(scene: Scene) -> None:
    scene.give()
    scene.step()
    scene.step()
    scene.k6.age = 301.0
    assert scene.step()["problem"] == "k6 did not start within 300 s"
    assert scene.processes[0].stopped


def test_a_run_whose_owner_is_gone_does_not_come_back_in_a_new_guest(scene: Scene) -> None:
    scene.give(run=SPIKE)
    scene.begin()
    scene.now += 61
    scene.replace_guest()
    scene.give(run=SPIKE, age=61)
    assert scene.begin()["id"] == ""
    last = scene.status["last"]
    assert (last["id"], last["state"]) == ("one-spike", "failed")
    assert last["problem"] == "it was added 61 s ago, and is not started later than 60 s after that"


def test_a_waiting_run_expires_when_its_time_is_over(scene: Scene) -> None:
    scene.give(run=SPIKE)
    scene.unreachable = "away"
    scene.step()
    assert scene.step(119)["id"] == "one-spike"
    scene.step(2)
    assert scene.status["last"]["problem"] == "it was added 121 s ago, and is not started later than 120 s after that"
    scene.unreachable = ""
    scene.step(1)
    assert scene.begin()["id"] == ""


def test_a_running_run_does_not_expire(scene: Scene) -> None:
    scene.give(run=SPIKE)
    scene.begin()
    assert scene.step(3600)["id"] == "one-spike"


@pytest.mark.parametrize("torn", ['{"run": null, "last": {"id": 3}}', "", '{"run": nu'])
def test_after_a_torn_record_no_run_from_before_is_started(
    scene: Scene, torn: str, caplog: pytest.LogCaptureFixture
) -> None:
    scene.give(run=SPIKE)
    scene.begin()
    scene.k6.exit_code = 0
    scene.step()
    (scene.directory / "runs.json").write_text(torn)
    scene.plans = DesiredPlans(lambda: scene.now)
    scene.restart()
    assert "runs.json is unreadable, so no run from before is started again" in caplog.text
    assert json.loads((scene.directory / "runs.json").read_text()) == {"run": None, "last": None}, "it is rewritten"
    scene.step()
    scene.give(run=SPIKE)
    assert scene.begin()["id"] == ""
    assert scene.status["last"]["state"] == "failed"
    scene.give(run=OTHER)
    assert scene.begin()["id"] == "another-spike", "a run added later does start"


def test_a_full_disk_does_not_end_the_agent(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    scene.give(run=SPIKE)
    assert scene.begin()["state"] == "running"
    scene.k6.exit_code = 0
    scene.step()
    assert scene.status["last"]["state"] == "finished"
    assert "No space left on device" in caplog.text


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({}, "plan.json in the load ConfigMap is invalid: it is missing."),
        ({"plan.json": "{broken"}, "plan.json in the load ConfigMap is invalid: Expecting property name"),
        ({"plan.json": render_load_plan(SPIKE)}, "is invalid: its run must be empty, but is 'one-spike'."),
        ({"plan.json": render_load_plan(STACK).replace("50", "0")}, "rps of a load plan must be at least 1, not 0"),
    ],
)
def test_an_invalid_plan_leaves_the_last_valid_one_in_force_and_is_reported(
    scene: Scene, data: dict[str, str], words: str
) -> None:
    scene.give()
    scene.begin()
    scene.plans.update(data, {})
    assert words in scene.plans.problem
    assert scene.step()["state"] == "running"
    assert len(scene.processes) == 1
    scene.give()
    assert scene.plans.problem == ""


def test_an_invalid_run_leaves_the_stacks_plan_in_force(scene: Scene) -> None:
    scene.give()
    scene.begin()
    scene.plans.update({"plan.json": render_load_plan(STACK), "run.json": render_load_plan(STACK)}, {})
    assert scene.plans.problem == "run.json in the load ConfigMap is invalid: its run must not be empty, but is ''."
    assert scene.step()["id"] == ""


def test_an_unreachable_api_server_leaves_the_last_plan_in_force(scene: Scene) -> None:
    scene.plans.mark_stale("the API server is unreachable")
    assert scene.plans.problem == "the API server is unreachable; there is no plan yet"
    scene.give(run=SPIKE)
    scene.begin()
    scene.plans.mark_stale("the API server is unreachable")
    assert scene.step()["state"] == "running"
    assert scene.plans.problem == "the API server is unreachable; the last plan stays in force"


def test_a_killed_k6_is_reported(scene: Scene) -> None:
    scene.give()
    scene.begin()
    scene.k6.exit_code = -9
    assert scene.step()["problem"] == "k6 was killed by signal 9: it printed no message"
