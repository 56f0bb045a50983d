"""`python -m measure run` on a fake cluster that doesn't serve, or doesn't answer in time."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from measure.run import session
from tests.unit.measure.conftest import Program, only_run, summary_of
from tests.unit.measure.fake_cluster import FakeCluster


class TestAStackThatDoesNotServe:
    def test_because_it_does_not_exist(self, measure_run: Program, cluster: FakeCluster, results: Path) -> None:
        cluster.data, cluster.has_web = None, False
        ended = measure_run()
        assert ended.code == 3
        assert "No stack multi-tier in namespace multi-tier" in ended.err
        assert not results.exists()

    def test_because_its_machines_are_simulated(self, measure_run: Program, cluster: FakeCluster) -> None:
        cluster.simulated = cluster.agent.unreachable = True
        ended = measure_run()
        assert ended.code == 3
        assert "The machines in namespace multi-tier are simulated: nothing has booted" in ended.err
        assert cluster.changes == []

    def test_because_its_agent_is_unreachable(self, measure_run: Program, cluster: FakeCluster) -> None:
        cluster.agent.unreachable = True
        ended = measure_run("--timeout", "1s")
        assert ended.code == 3
        assert "The load agent of Service multi-tier-load doesn't respond" in ended.err
        assert cluster.changes == []

    def test_because_a_tier_does_not_respond(self, measure_run: Program, cluster: FakeCluster) -> None:
        cluster.agent.problem = "application: connection refused"
        ended = measure_run("--timeout", "1s")
        assert ended.code == 3
        assert "The stack doesn't serve: application: connection refused." in ended.err
        assert cluster.changes == []

    def test_because_its_plan_is_of_an_older_version(self, measure_run: Program, cluster: FakeCluster) -> None:
        cluster.data = {"plan.json": '{"rps": 50}'}
        ended = measure_run()
        assert ended.code == 3
        assert "Run `pulumi up` with this version" in ended.err

    def test_because_the_generator_can_not_read_the_run(self, measure_run: Program, cluster: FakeCluster) -> None:
        cluster.agent.ignoring, cluster.agent.config_problem = True, "run.json can't be followed: no field profile"
        ended = measure_run("--timeout", "1s")
        assert ended.code == 3
        assert "run.json can't be followed: no field profile" in ended.out


class TestATimeout:
    def test_because_the_run_does_not_start_removes_it_again(self, measure_run: Program, cluster: FakeCluster) -> None:
        cluster.agent.ignoring = True
        ended = measure_run("--timeout", "1s")
        assert ended.code == 4
        assert "The run did not start within 0.1 s (--timeout)." in ended.out
        assert cluster.changes[-1] == "removed"

    def test_because_no_samples_come(
        self, measure_run: Program, cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(session, "SILENCE", 0.3)
        cluster.agent.silent = True
        ended = measure_run("--for", "60s")
        assert ended.code == 4
        assert "TIMED OUT: No samples for" in ended.out

    def test_because_the_agent_goes_away_keeps_the_samples(
        self, measure_run: Program, cluster: FakeCluster, results: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(session, "SILENCE", 0.3)
        advance = cluster.agent.advance

        def leave(text: str | None) -> None:
            advance(text)
            cluster.agent.unreachable = cluster.agent.passed > 5

        cluster.agent.advance = leave  # type: ignore[method-assign]
        ended = measure_run("--for", "60s")
        assert ended.code == 4
        assert "No response about the run for" in ended.out
        assert summary_of(only_run(results)).delivery.sent > 50

    def test_because_the_api_server_is_unreachable(self, measure: Program, tmp_path: Path) -> None:
        nobody = tmp_path / "kubeconfig"
        nobody.write_text(
            json.dumps({
                "current-context": "a",
                "contexts": [{"name": "a", "context": {"cluster": "a", "user": "a"}}],
                "clusters": [{"name": "a", "cluster": {"server": "http://127.0.0.1:9"}}],
                "users": [{"name": "a", "user": {}}],
            })
        )  # fmt: skip
        ended = measure("run", "--kubeconfig", nobody)
        assert ended.code == 4
        assert "The API server doesn't answer" in ended.err
