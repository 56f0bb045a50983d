"""`python -m measure run` from the command line to its files, on a fake cluster."""

from __future__ import annotations

import csv
import json
import time
from dataclasses import replace
from pathlib import Path

import pytest

from cloudinit.load_plan import Profile, render_load_plan
from measure.run import session
from measure.summary import Summary
from tests.unit.measure.conftest import Measure
from tests.unit.measure.fake_cluster import TRACE, FakeCluster
from tests.unit.measure.synthetic import Answer, frozen, plan


def only_run(results: Path) -> Path:
    (directory,) = results.iterdir()
    return directory


def summary_of(directory: Path) -> Summary:
    return Summary.model_validate_json((directory / "summary.json").read_text())


class TestARunThatPasses:
    def test_writes_its_files_says_so_and_leaves_nothing_in_the_cluster(
        self, measure: Measure, cluster: FakeCluster, results: Path
    ) -> None:
        said = measure("--gate", "total.p99=50", "--gate", "delivered_share=0.999")
        directory = only_run(results)
        assert said.code == 0
        assert "PASSED: all 2 gates hold." in said.out
        assert sorted(path.name for path in directory.iterdir()) == [
            "percentiles.csv", "report.html", "samples.csv", "summary.json", "timeline.csv",
        ]  # fmt: skip
        assert cluster.seen == [f"put {directory.name}", "removed"]
        assert cluster.run is None

    def test_has_every_request_once_with_its_whole_trace_id(self, measure: Measure, results: Path) -> None:
        measure("--rps", "200", "--for", "5s")
        with (only_run(results) / "samples.csv").open() as file:
            rows = list(csv.DictReader(file))
        assert sorted(int(row["number"]) for row in rows) == list(range(1000))
        assert all(row["trace"] == f"{TRACE}{int(row['number']):016x}" for row in rows)

    def test_asks_for_the_stacks_plan_with_the_flags_in_their_place(self, measure: Measure, results: Path) -> None:
        measure("--profile", "spike", "--rps", "20", "--for", "6s", "--mix", "random=3,write=1", "--seed", "7")
        summary = summary_of(only_run(results))
        assert summary.plan.profile == "spike"
        assert (summary.plan.rps, summary.plan.peak, summary.plan.seconds) == (20, 80, 6)
        assert summary.plan.mix == {"random": 3, "hot": 0, "missing": 0, "slow": 0, "write": 1}
        assert summary.plan.seed == 7
        assert summary.plan.concurrency == plan().concurrency
        assert (summary.config.stack_plan["profile"], summary.config.stack_plan["rps"]) == ("constant", 100)
        assert summary.versions["k6"] == "1.8.1"
        assert summary.versions["Kubernetes"] == "v1.35.1"

    def test_counts_second_by_second_what_it_counts_in_all(self, measure: Measure, results: Path) -> None:
        measure("--profile", "ramp", "--rps", "20", "--peak", "100", "--for", "5s")
        with (only_run(results) / "timeline.csv").open() as file:
            rows = list(csv.DictReader(file))
        delivered = summary_of(only_run(results)).delivery
        assert len(rows) == 5
        assert sum(float(row["asked"]) for row in rows) == pytest.approx(delivered.asked)
        assert sum(float(row["good"]) + float(row["errors"]) for row in rows) == delivered.sent

    def test_takes_the_stacks_gates_and_lets_flags_win(self, measure: Measure, cluster: FakeCluster) -> None:
        assert cluster.data
        cluster.data["gates.json"] = json.dumps({"total": {"p95": 0.001, "p99": None}, "error_rate": 0.01})
        failed = measure()
        assert failed.code == 1
        assert "total.p95 is 2.52 ms, at most 0.001 ms is allowed" in failed.out
        assert measure("--gate", "total.p95=none").code == 0
        assert measure("--gate", "total.p95=10").code == 0

    def test_repeats_as_often_as_asked_in_one_directory(self, measure: Measure, results: Path) -> None:
        assert measure("--for", "2s", "--repeat", "2").code == 0
        parent = only_run(results)
        assert sorted(path.name for path in parent.iterdir()) == ["1", "2"]
        assert summary_of(parent / "2").run.id == f"{parent.name}-2"


class TestARunThatFails:
    def test_by_a_gate_ends_with_1_and_names_it(self, measure: Measure) -> None:
        said = measure("--gate", "database.p95=0.1", "--gate", "total.p99=50")
        assert said.code == 1
        assert "FAILED: database.p95 is 0.52 ms, at most 0.1 ms is allowed." in said.out

    def test_counts_a_requests_own_time_out_as_an_error_of_ten_seconds(
        self, measure: Measure, cluster: FakeCluster, results: Path
    ) -> None:
        lost = Answer(web=10_000.0, status=0, good=False)
        cluster.agent.service = lambda _, number: lost if number == 3 else Answer()
        said = measure("--for", "4s", "--gate", "error_rate=0.001")
        summary = summary_of(only_run(results))
        assert said.code == 1
        assert summary.delivery.errors_by == {"no answer, k6 error 1050": 1}
        assert summary.latency["total"].max == 10_000
        assert summary.latency["unattributed"].max == 10_000

    def test_that_is_not_delivered_says_why(self, measure: Measure, cluster: FakeCluster, results: Path) -> None:
        cluster.agent.service = lambda sent, _: Answer(database=1.0 if sent < 1000 else 200.0)
        said = measure("--rps", "200", "--for", "5s", "--gate", "delivered_share=0.999")
        problem = summary_of(only_run(results)).delivery.problem
        assert said.code == 1
        assert problem
        assert "of 1,000 asked requests were sent" in problem
        assert "all 10 connections were busy" in problem
        assert "what grew most is the database's time" in problem

    def test_of_stress_stops_at_the_first_stair_that_breaks_and_names_the_limit(
        self, measure: Measure, cluster: FakeCluster, results: Path
    ) -> None:
        # 10 connections at 10 ms carry 1,000/s: the stair of 1,120/s is too much.
        cluster.agent.service = lambda *_: Answer(web=2.0, code=7.0, pool=0.5, database=0.5)
        said = measure("--profile", "stress", "--rps", "400", "--peak", "2560", "--for", "10s")
        summary = summary_of(only_run(results))
        assert said.code == 1
        assert summary.stress
        assert [(stair.rate, stair.held) for stair in summary.stress.stairs] == [
            (400, True), (640, True), (880, True), (1120, False),
        ]  # fmt: skip
        assert summary.verdict.reason.startswith("1120 requests/s is too much; 880/s held. delivered_share is")
        assert "10 of them at 10 ms carry at most 1,000 requests/s" in summary.verdict.reason
        assert summary.run.seconds < 8, "the stairs above the limit were climbed all the same"
        assert cluster.run is None

    def test_of_stress_is_judged_by_its_gates_and_names_the_part_that_grew(
        self, measure: Measure, cluster: FakeCluster, results: Path
    ) -> None:
        cluster.agent.service = lambda sent, _: Answer(database=1.0 if sent < 3000 else 30.0)
        measure("--profile", "stress", "--rps", "50", "--peak", "140", "--for", "10s", "--gate", "total.p99=20")
        reason = summary_of(only_run(results)).verdict.reason
        assert reason.startswith("80 requests/s is too much; 70/s held. total.p99 is 31.6 ms, at most 20 ms is allowed")
        assert "what grew most is the database's time: 1 -> 30 ms on average" in reason

    def test_whose_generator_fails_ends_with_3_and_keeps_what_was_measured(
        self, measure: Measure, cluster: FakeCluster, results: Path
    ) -> None:
        status = cluster.agent.status

        def failing() -> dict[str, object]:
            said = status()
            if said["run"]["id"] and len(cluster.agent.log) > 10_000:
                said["run"] |= {"state": "failed", "problem": "k6 ended with 107", "next": len(cluster.agent.log)}
            return said

        cluster.agent.status = failing  # type: ignore[method-assign]
        said = measure()
        assert said.code == 3
        assert "NOT SERVING: The load generator failed: k6 ended with 107." in said.out
        assert summary_of(only_run(results)).delivery.sent > 100


class TestTheFrozenSecond:
    def test_shows_in_the_slowest_thousandth_and_not_where_a_closed_loop_would_look(
        self, measure: Measure, cluster: FakeCluster, results: Path
    ) -> None:
        cluster.agent.service = frozen(2000.0, 3000.0)
        measure("--rps", "600", "--for", "10s", "--concurrency", "5")
        summary = summary_of(only_run(results))
        assert summary.latency["total"].p999 > 900
        assert summary.latency["total"].p99 > 800
        assert summary.seen["client"].p999 < 10


class TestWhatDoesNotServe:
    def test_no_stack_is_3(self, measure: Measure, cluster: FakeCluster, results: Path) -> None:
        cluster.data, cluster.has_web = None, False
        said = measure()
        assert said.code == 3
        assert "There is no stack multi-tier in namespace multi-tier" in said.err
        assert not results.exists()

    def test_no_agent_is_3(self, measure: Measure, cluster: FakeCluster) -> None:
        cluster.agent.away = True
        said = measure("--timeout", "1s")
        assert said.code == 3
        assert "The load agent behind Service multi-tier-load doesn't answer" in said.err
        assert cluster.started_runs == 0

    def test_a_chain_that_does_not_answer_is_3_with_what_it_said(self, measure: Measure, cluster: FakeCluster) -> None:
        cluster.agent.problem = "application: connection refused"
        said = measure("--timeout", "1s")
        assert said.code == 3
        assert "The stack doesn't serve: application: connection refused." in said.err
        assert cluster.started_runs == 0

    def test_a_plan_of_an_older_stack_is_3(self, measure: Measure, cluster: FakeCluster) -> None:
        cluster.data = {"plan.json": '{"rps": 50}'}
        said = measure()
        assert said.code == 3
        assert "Run `pulumi up` with this version" in said.err

    def test_a_run_that_the_generator_can_not_read_is_3_with_what_it_said(
        self, measure: Measure, cluster: FakeCluster
    ) -> None:
        cluster.agent.deaf, cluster.agent.complaint = True, "run.json can't be followed: no field profile"
        said = measure("--timeout", "1s")
        assert said.code == 3
        assert "run.json can't be followed: no field profile" in said.out


class TestTimeOuts:
    def test_a_run_that_nobody_begins_is_4_and_is_taken_out_again(self, measure: Measure, cluster: FakeCluster) -> None:
        cluster.agent.deaf = True
        said = measure("--timeout", "1s")
        assert said.code == 4
        assert "The run did not begin within 0.1 s (--timeout)." in said.out
        assert cluster.seen[-1] == "removed"

    def test_samples_that_stop_coming_are_4(
        self, measure: Measure, cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(session, "SILENCE", 0.3)
        cluster.agent.silent = True
        said = measure("--for", "60s")
        assert said.code == 4
        assert "TIMED OUT: No sample came for" in said.out

    def test_an_agent_that_goes_away_is_4_and_what_came_is_kept(
        self, measure: Measure, cluster: FakeCluster, results: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(session, "SILENCE", 0.3)
        advance = cluster.agent.advance

        def leave(text: str | None) -> None:
            advance(text)
            cluster.agent.away = cluster.agent.passed > 5

        cluster.agent.advance = leave  # type: ignore[method-assign]
        said = measure("--for", "60s")
        assert said.code == 4
        assert "Nothing heard of the run for" in said.out
        assert summary_of(only_run(results)).delivery.sent > 50

    def test_an_api_server_that_does_not_answer_is_4(self, call: Measure, tmp_path: Path) -> None:
        nobody = tmp_path / "kubeconfig"
        nobody.write_text(
            json.dumps({
                "current-context": "a",
                "contexts": [{"name": "a", "context": {"cluster": "a", "user": "a"}}],
                "clusters": [{"name": "a", "cluster": {"server": "http://127.0.0.1:9"}}],
                "users": [{"name": "a", "user": {}}],
            })
        )  # fmt: skip
        said = call("run", "--kubeconfig", nobody)
        assert said.code == 4
        assert "The API server doesn't answer" in said.err


class TestAnotherRun:
    def other(self, cluster: FakeCluster, put: float) -> None:
        assert cluster.data
        cluster.data["run.json"] = render_load_plan(replace(plan(Profile.SOAK, seconds=30), run="somebodys-soak"))
        cluster.put = put

    def test_that_is_in_force_is_not_disturbed(self, measure: Measure, cluster: FakeCluster) -> None:
        self.other(cluster, time.time())
        said = measure()
        assert said.code == 2
        assert "Another run is in force: somebodys-soak, since 20" in said.err
        assert cluster.run
        assert cluster.run.run == "somebodys-soak"

    def test_whose_owner_is_gone_is_taken_over(self, measure: Measure, cluster: FakeCluster) -> None:
        self.other(cluster, time.time() - 1000)
        cluster.agent.deaf = True
        assert measure("--timeout", "1s").code == 4, "nobody would do the run, but it was put"
        assert cluster.started_runs == 1

    def test_that_has_ended_is_no_hindrance(self, measure: Measure, cluster: FakeCluster) -> None:
        self.other(cluster, time.time())
        run = (cluster.data or {})["run.json"]
        cluster.agent.advance(run)
        cluster.agent.passed += 100.0
        cluster.agent.advance(run)
        assert measure("--for", "1s").code == 0
