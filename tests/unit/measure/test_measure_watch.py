"""`python -m measure watch`, and what a run shows while it goes on."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from cloudinit.load_plan import Profile, render_load_plan
from measure.analysis.samples import Recording
from measure.run import view
from measure.run.session import Progress, new_progress
from tests.unit.measure.conftest import Measure
from tests.unit.measure.fake_cluster import FakeCluster
from tests.unit.measure.synthetic import plan, requests


def progress(profile: Profile = Profile.CONSTANT, elapsed: float = 5.0) -> Progress:
    made = new_progress(plan(profile, run="a-run"), {})
    made.elapsed, made.recording = elapsed, Recording()
    made.recording.append("".join(line for at, line in requests(made.plan) if at < elapsed * 1000).encode())
    if made.stairs:
        made.stairs.judge(made.samples, elapsed)
    return made


def shown(made: Progress) -> str:
    console = Console(file=io.StringIO(), width=120)
    console.print(view.screen(made))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_the_screen_has_rates_times_errors_and_what_is_left() -> None:
    text = shown(progress())
    assert "5 s of 10 s, 5 s left" in text
    assert "asked 100/s, delivered 100/s" in text
    assert "500 asked, 500 answered" in text
    assert "0 (0.00%)" in text
    for name in ("total", "wait", "web", "application", "database"):
        assert f" {name} " in text


def test_the_screen_of_a_stress_run_has_the_stairs_that_were_judged() -> None:
    assert "133/s" in shown(progress(Profile.STRESS))


def test_the_screen_before_the_first_sample_has_no_numbers_and_says_what_is_waited_for() -> None:
    made = new_progress(plan(run="a-run"), {})
    made.note = "waiting for the load generator"
    assert "waiting for the load generator" in shown(made)


def test_a_log_gets_a_line_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    file, made = io.StringIO(), progress()
    log = view.LogView(Console(file=file, width=160))
    log.show(made)
    assert file.getvalue() == ""
    monkeypatch.setattr(view, "_LOG_EVERY", 0.0)
    log.show(made)
    assert file.getvalue().startswith("   5/10 s  asked 100/s delivered 100/s  p50/p95/p99 ms: total 2.2")


def test_watching_starts_and_changes_nothing(call: Measure, cluster: FakeCluster) -> None:
    said = call("watch", "--kubeconfig", cluster.kubeconfig, "--for", "2s")
    assert said.code == 0
    assert cluster.seen == []


def test_watching_follows_whatever_run_is_in_force(
    call: Measure, cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(view, "_LOG_EVERY", 0.0)
    cluster.agent.step = 0.1
    cluster.agent.advance(None)
    assert cluster.data
    cluster.data["run.json"] = render_load_plan(plan(run="somebodys"))
    said = call("watch", "--kubeconfig", cluster.kubeconfig, "--for", "5s")
    assert said.code == 0
    assert "/10 s  asked 100/s delivered 100/s" in said.out


def test_watching_where_nothing_is_to_watch_is_3(call: Measure, cluster: FakeCluster) -> None:
    cluster.agent.away = True
    assert call("watch", "--kubeconfig", cluster.kubeconfig).code == 3
