"""`python -m measure run` from the command line to its files, on a fake cluster."""

from __future__ import annotations

import csv
import json
import math
import re
import time
from pathlib import Path

import pytest

from cloudinit.load_plan import Profile
from tests.unit.measure.conftest import Program, only_run, summary_of
from tests.unit.measure.fake_cluster import FakeCluster
from tests.unit.measure.synthetic import TRACE, Response, plan, stalled, steady


class TestAPassingRun:
    def test_writes_its_files_and_leaves_nothing_in_the_cluster(
        self, measure_run: Program, cluster: FakeCluster, results: Path
    ) -> None:
        ended = measure_run("--gate", "total.p99=50", "--gate", "delivered_share=0.999")
        directory = only_run(results)
        assert ended.code == 0
        assert "PASSED: all 3 gates passed." in ended.out
        assert sorted(path.name for path in directory.iterdir()) == [
            "percentiles.csv", "report.html", "samples.csv", "summary.json", "timeline.csv",
        ]  # fmt: skip
        assert cluster.changes == [f"added {directory.name}", "removed"]
        assert cluster.run is None

    def test_records_every_request_once_with_its_full_trace_id(self, measure_run: Program, results: Path) -> None:
        measure_run("--rps", "200", "--for", "5s")
        with (only_run(results) / "samples.csv").open() as file:
            rows = list(csv.DictReader(file))
        assert sorted(int(row["number"]) for row in rows) == list(range(1000))
        assert all(row["trace"] == f"{TRACE}{int(row['number']):016x}" for row in rows)

    def test_takes_the_stacks_plan_with_the_flags_overrides(self, measure_run: Program, results: Path) -> None:
        measure_run("--profile", "spike", "--rps", "20", "--for", "6s", "--mix", "random=3,write=1", "--seed", "7")
        summary = summary_of(only_run(results))
        assert summary.plan.profile == "spike"
        assert (summary.plan.rps, summary.plan.peak, summary.plan.seconds) == (20, 80, 6)
        assert summary.plan.mix == {"random": 3, "hot": 0, "missing": 0, "slow": 0, "write": 1}
        assert summary.plan.seed == 7
        assert summary.plan.concurrency == plan().concurrency
        assert (summary.config.stack_plan["profile"], summary.config.stack_plan["rps"]) == ("constant", 100)
        assert summary.versions["k6"] == "2.1.0"
        assert summary.versions["Kubernetes"] == "v1.35.1"

    def test_has_a_timeline_that_adds_up_to_its_totals(self, measure_run: Program, results: Path) -> None:
        measure_run("--profile", "ramp", "--rps", "20", "--peak", "100", "--for", "5s")
        with (only_run(results) / "timeline.csv").open() as file:
            rows = list(csv.DictReader(file))
        delivered = summary_of(only_run(results)).delivery
        assert len(rows) == 5
        assert sum(float(row["scheduled"]) for row in rows) == pytest.approx(delivered.scheduled)
        assert sum(float(row["succeeded"]) + float(row["errors"]) for row in rows) == delivered.sent

    def test_takes_the_stacks_gates_unless_flags_override_them(
        self, measure_run: Program, cluster: FakeCluster
    ) -> None:
        assert cluster.data
        cluster.data["gates.json"] = json.dumps({"total": {"p95": 0.001, "p99": None}, "error_rate": 0.01})
        failed = measure_run()
        assert failed.code == 1
        assert "total.p95 is 2.52 ms (limit 0.001 ms)" in failed.out
        assert measure_run("--gate", "total.p95=none").code == 0
        assert measure_run("--gate", "total.p95=10").code == 0

    def test_keeps_its_repeats_in_one_directory(self, measure_run: Program, results: Path) -> None:
        assert measure_run("--for", "2s", "--repeat", "2").code == 0
        parent = only_run(results)
        assert sorted(path.name for path in parent.iterdir()) == ["1", "2"]
        assert summary_of(parent / "2").run.id == f"{parent.name}-2"


class TestAFailingRun:
    def test_exits_with_1_and_names_the_gate(self, measure_run: Program) -> None:
        ended = measure_run("--gate", "database.p95=0.1", "--gate", "total.p99=50")
        assert ended.code == 1
        assert "FAILED: database.p95 is 0.52 ms (limit 0.1 ms)." in ended.out

    def test_counts_a_request_that_timed_out_as_an_error_without_an_answer(
        self, measure_run: Program, cluster: FakeCluster, results: Path
    ) -> None:
        lost = Response(web=10_000.0, status=0, good=False)
        cluster.agent.service = lambda _, number: lost if number == 3 else Response()
        ended = measure_run("--for", "4s", "--gate", "error_rate=0.001")
        summary = summary_of(only_run(results))
        assert ended.code == 1
        assert summary.delivery.errors_by == {"no response, k6 error 1050": 1}
        assert (summary.latency["total"].unanswered, summary.latency["total"].max) == (1, math.inf)
        assert summary.latency["unattributed"].max == 10_000
        assert sum(one.mean for one in summary.shares) == pytest.approx(summary.latency["total"].mean)

    def test_explains_a_shortfall(self, measure_run: Program, cluster: FakeCluster, results: Path) -> None:
        cluster.agent.service = lambda sent, _: Response(database=1.0 if sent < 1000 else 200.0)
        ended = measure_run("--rps", "200", "--for", "5s", "--gate", "delivered_share=0.999")
        shortfall = summary_of(only_run(results)).delivery.shortfall
        assert ended.code == 1
        assert shortfall
        assert "of 1,000 scheduled requests were sent" in shortfall
        assert "all 10 connections were busy" in shortfall
        assert "the part that grew most is the database's time" in shortfall

    def test_of_stress_stops_at_the_first_failed_step_and_names_the_limit(
        self, measure_run: Program, cluster: FakeCluster, results: Path
    ) -> None:
        # 10 connections at 10 ms carry 1,000/s: the step of 1,120/s is too much.
        cluster.agent.service = lambda *_: Response(web=2.0, code=7.0, pool=0.5, database=0.5)
        ended = measure_run("--profile", "stress", "--rps", "400", "--peak", "2560", "--for", "10s")
        summary = summary_of(only_run(results))
        assert ended.code == 1
        assert summary.stress
        assert [(step.rate, step.passed) for step in summary.stress.steps] == [
            (400, True), (640, True), (880, True), (1120, False),
        ]  # fmt: skip
        assert summary.verdict.reason.startswith("1120 requests/s is too much (880/s passed): delivered_share is")
        assert "10 of them at 10 ms carry at most 1,000 requests/s" in summary.verdict.reason
        assert summary.run.seconds < 8, "no step above the limit is run"
        assert cluster.run is None

    def test_of_stress_is_judged_by_its_gates_and_names_the_part_that_grew(
        self, measure_run: Program, cluster: FakeCluster, results: Path
    ) -> None:
        cluster.agent.service = lambda sent, _: Response(database=1.0 if sent < 3000 else 30.0)
        rates = ("--rps", "200", "--peak", "560", "--for", "10s", "--concurrency", "50")
        measure_run("--profile", "stress", *rates, "--gate", "total.p95=20")
        reason = summary_of(only_run(results)).verdict.reason
        assert reason.startswith(
            "320 requests/s is too much (280/s passed): total.p95 is 31.6 ms (limit 20 ms). Cause:"
        )
        assert "the part that grew most is the database's time: 1 -> 30 ms on average" in reason

    def test_of_stress_with_steps_too_short_for_its_gates_says_so(self, measure_run: Program) -> None:
        ended = measure_run("--profile", "stress", "--rps", "50", "--peak", "140", "--gate", "total.p99=20")
        assert ended.code == 1
        assert (
            "FAILED: the step of 50 requests/s is too short to judge: total.p99 is unknown: not enough samples "
            "(50, needs 1,000) (limit 20 ms). Use a longer --for." in ended.out
        )

    def test_because_too_few_requests_make_no_p99(self, measure_run: Program) -> None:
        ended = measure_run("--rps", "1", "--for", "1s", "--gate", "total.p99=500")
        assert ended.code == 1
        assert "total.p99 is unknown: not enough samples (1, needs 1,000)" in ended.out

    def test_because_half_of_its_requests_never_succeeded_in_the_database(
        self, measure_run: Program, cluster: FakeCluster
    ) -> None:
        failed = Response(database=None, status=503, good=False)
        cluster.agent.service = lambda _, number: Response() if number % 2 else failed
        ended = measure_run("--gate", "database.p99=500", "--gate", "error_rate=none")
        assert ended.code == 1
        assert "FAILED: database.p99 is not answered: 500 of 1,000 requests" in ended.out

    def test_with_a_failed_generator_exits_with_3_and_keeps_its_results(
        self, measure_run: Program, cluster: FakeCluster, results: Path
    ) -> None:
        status = cluster.agent.status

        def failing() -> dict[str, object]:
            found = status()
            if found["run"]["id"] and len(cluster.agent.log) > 10_000:
                found["run"] |= {"state": "failed", "problem": "k6 ended with 107", "next": len(cluster.agent.log)}
            return found

        cluster.agent.status = failing  # type: ignore[method-assign]
        ended = measure_run()
        assert ended.code == 3
        assert "NOT SERVING: The load generator failed: k6 ended with 107." in ended.out
        assert summary_of(only_run(results)).delivery.sent > 100


class TestARunOfErrors:
    @pytest.fixture(autouse=True)
    def _unavailable(self, cluster: FakeCluster) -> None:
        cluster.agent.service = lambda *_: Response(database=None, status=503, good=False)

    def test_fails_although_its_latency_is_good(self, measure_run: Program) -> None:
        ended = measure_run("--gate", "total.p99=500")
        assert ended.code == 1
        assert "FAILED: error_rate is 100.00% (limit 1.00%)." in ended.out
        assert re.search(r"error_rate +1.00% \(default\) +100.00% +FAIL", ended.out)

    def test_fails_without_any_gate_of_its_own(self, measure_run: Program) -> None:
        assert measure_run().code == 1

    def test_fails_at_its_first_stress_step(self, measure_run: Program, results: Path) -> None:
        ended = measure_run("--profile", "stress", "--gate", "total.p95=500")
        stress = summary_of(only_run(results)).stress
        assert ended.code == 1
        assert stress
        assert [step.passed for step in stress.steps] == [False]

    def test_passes_if_the_default_gate_is_lifted(self, measure_run: Program) -> None:
        ended = measure_run("--gate", "error_rate=none", "--gate", "delivered_share=none")
        assert ended.code == 0
        assert "PASSED: no gate was set." in ended.out


class TestARunThatIsNotAnswered:
    FROZEN = Response(web=10_000.0, status=0, good=False)

    def test_in_its_last_quarter_fails_a_latency_gate(
        self, measure_run: Program, cluster: FakeCluster, results: Path
    ) -> None:
        cluster.agent.service = lambda sent, number: steady(sent, number) if sent < 15_000 else self.FROZEN
        ended = measure_run(
            *("--rps", "300", "--for", "20s", "--concurrency", "20"),
            *("--gate", "total.p99=500", "--gate", "delivered_share=none", "--gate", "error_rate=none"),
        )
        assert ended.code == 1
        assert "FAILED: total.p99 is not answered: 1,500 of 6,000 requests (limit 500 ms)." in ended.out
        total = summary_of(only_run(results)).latency["total"]
        assert (total.count, total.unanswered, total.p99) == (6000, 1500, math.inf)
        assert total.p50 < 3
        with (only_run(results) / "timeline.csv").open() as file:
            last = list(csv.DictReader(file))[-1]
        assert (last["sent"], last["unsent"], last["total_p50"]) == ("0", "300", "inf")

    def test_says_so_when_its_report_is_recreated(
        self, measure: Program, measure_run: Program, cluster: FakeCluster, results: Path
    ) -> None:
        cluster.agent.service = lambda sent, number: steady(sent, number) if sent < 8000 else self.FROZEN
        measure_run("--for", "10s")
        ended = measure("report", only_run(results))
        assert re.search(r"total +[0-9.]+ +[0-9.]+ +not answered", ended.out)

    def test_by_a_connection_refused_at_once_is_not_fast(
        self, measure_run: Program, cluster: FakeCluster, results: Path
    ) -> None:
        cluster.agent.service = lambda *_: Response(web=0.2, status=0, good=False)
        assert measure_run("--gate", "total.p99=500", "--gate", "error_rate=none").code == 1
        assert summary_of(only_run(results)).latency["total"].p50 == math.inf


class TestAStallOfOneSecond:
    def test_shows_in_the_latency_from_the_scheduled_time_only(
        self, measure_run: Program, cluster: FakeCluster, results: Path
    ) -> None:
        cluster.agent.service = stalled(2000.0, 3000.0)
        measure_run("--rps", "600", "--for", "10s", "--concurrency", "5")
        summary = summary_of(only_run(results))
        assert summary.latency["total"].p999 > 900
        assert summary.latency["total"].p99 > 800
        assert summary.latency_from_send["client"].p999 < 10


class TestAGeneratorWhoseGuest:
    def test_has_its_wall_clock_set_forward_passes_all_the_same(
        self, measure_run: Program, cluster: FakeCluster, results: Path
    ) -> None:
        advance = cluster.agent.advance

        def set_clock(text: str | None) -> None:
            advance(text)
            cluster.agent.clock_step = 60.0 if cluster.agent.passed > 4 else 0.0

        cluster.agent.advance = set_clock  # type: ignore[method-assign]
        ended = measure_run("--profile", "stress", "--rps", "100", "--peak", "200", "--for", "10s")
        assert ended.code == 0, ended.out
        assert summary_of(only_run(results)).verdict.reason == "every step up to 200 requests/s passed."

    def test_is_replaced_ends_the_run_with_what_was_measured(
        self, measure_run: Program, cluster: FakeCluster, results: Path
    ) -> None:
        advance = cluster.agent.advance

        def replace(text: str | None) -> None:
            if cluster.agent.passed > 6 and cluster.agent.instance == "first":
                cluster.agent.replace()
            advance(text)

        cluster.agent.advance = replace  # type: ignore[method-assign]
        ended = measure_run("--for", "20s")
        assert ended.code == 3
        assert "NOT SERVING: The load generator restarted during the run." in ended.out
        assert 200 < summary_of(only_run(results)).delivery.sent < 600
        assert cluster.changes[-1] == "removed"
        assert ended.err == ""


class TestAnotherRun:
    OTHER = plan(Profile.SOAK, seconds=30, run="another-soak")

    def test_in_force_is_not_disturbed(self, measure_run: Program, cluster: FakeCluster) -> None:
        cluster.add_run(self.OTHER, changed=time.time())
        ended = measure_run()
        assert ended.code == 2
        assert "Another run is in progress: another-soak, about 29 s left. Nothing was started." in ended.err
        assert cluster.changes == []

    def test_that_was_abandoned_is_taken_over(self, measure_run: Program, cluster: FakeCluster) -> None:
        cluster.add_run(self.OTHER, changed=time.time() - 1000)
        cluster.agent.ignoring = True
        assert measure_run("--timeout", "1s").code == 4, "no agent does the run, but it was added"
        assert cluster.changes[0].startswith("added ")

    def test_that_has_ended_is_replaced(self, measure_run: Program, cluster: FakeCluster) -> None:
        cluster.add_run(self.OTHER, changed=time.time())
        run = (cluster.data or {})["run.json"]
        cluster.agent.advance(run)
        cluster.agent.passed += 100.0
        cluster.agent.advance(run)
        assert measure_run("--for", "1s").code == 0
