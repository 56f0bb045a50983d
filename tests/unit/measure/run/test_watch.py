"""`python -m measure watch`, and what a run shows in progress."""

from __future__ import annotations

import io
import re

import pytest
from rich.console import Console

from cloudinit.load_plan import Profile
from measure.analysis.recording import Recording
from measure.run import view
from tests.unit.measure.conftest import Program
from tests.unit.measure.fake_cluster import FakeCluster
from tests.unit.measure.synthetic import Response, lines, plan


def halfway(profile: Profile = Profile.CONSTANT) -> Recording:
    recording = Recording.of(plan(profile, run="a-run"), {})
    recording.elapsed = 5.0
    recording.buffer.append(lines(recording.plan, until=5.0))
    if recording.steps:
        recording.steps.judge(recording.samples, recording.elapsed)
    return recording


def screen(recording: Recording, note: str = "") -> str:
    console = Console(file=io.StringIO(), width=120)
    console.print(view.screen(recording, note))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_the_screen_has_rates_latency_errors_and_the_time_left() -> None:
    text = screen(halfway())
    assert "5 s of 10 s, 5 s left" in text
    assert "scheduled 100/s, sent 100/s" in text
    assert "500 scheduled, 500 answered" in text
    assert "0 (0.00%)" in text
    for name in ("total", "generator", "wait", "web", "application", "database"):
        assert f" {name} " in text


def test_the_screen_of_a_stress_run_has_the_judged_steps() -> None:
    assert "133/s" in screen(halfway(Profile.STRESS))


def test_the_screen_before_the_first_sample_says_what_the_run_waits_for() -> None:
    recording = Recording.of(plan(run="a-run"), {})
    assert "waiting for the load generator" in screen(recording, "waiting for the load generator")


def test_a_log_gets_a_line_every_few_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    file, recording = io.StringIO(), halfway()
    log = view.LogView(Console(file=file, width=160))
    log.show(recording, "")
    assert file.getvalue() == ""
    monkeypatch.setattr(view, "_LOG_EVERY", 0.0)
    log.show(recording, "")
    assert file.getvalue().startswith("   5/10 s  scheduled 100/s sent 100/s  p50/p95/p99 ms: total 2.2")


def test_watching_starts_and_changes_nothing(measure: Program, cluster: FakeCluster) -> None:
    assert measure("watch", "--for", "1s").code == 0
    assert cluster.changes == []


def test_watching_follows_the_run_in_force(
    measure: Program, cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(view, "_LOG_EVERY", 0.0)
    cluster.agent.step = 0.1
    cluster.agent.advance(None)
    cluster.add_run(plan(run="another"))
    ended = measure("watch", "--for", "4s")
    assert ended.code == 0
    assert "/10 s  scheduled 100/s sent 100/s" in ended.out


def test_watching_goes_on_in_a_new_guest(
    measure: Program, cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(view, "_LOG_EVERY", 0.0)
    advance = cluster.agent.advance

    def replace(text: str | None) -> None:
        if cluster.agent.passed > 10 and cluster.agent.instance == "first":
            cluster.agent.replace()
            cluster.agent.service = lambda *_: Response(database=50.0)
        advance(text)

    cluster.agent.advance = replace  # type: ignore[method-assign]
    cluster.agent.step = 0.5
    cluster.add_run(plan(run="another", seconds=60))
    ended = measure("watch", "--for", "10s")
    assert ended.code == 0
    assert re.search(r"\n +[1-5]/60 s .* database 50.00/50.00/50.00", ended.out)


def test_simulated_machines_are_refused(measure: Program, cluster: FakeCluster) -> None:
    cluster.simulated = cluster.agent.unreachable = True
    ended = measure("watch")
    assert ended.code == 3
    assert "are simulated: nothing has booted" in ended.err


def test_without_anything_to_watch_the_exit_code_is_3(measure: Program, cluster: FakeCluster) -> None:
    cluster.agent.unreachable = True
    assert measure("watch").code == 3
