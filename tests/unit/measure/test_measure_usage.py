"""What is asked for wrongly: one line that helps, exit code 2, and nothing started."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.measure.conftest import Measure
from tests.unit.measure.fake_cluster import FakeCluster

WRONG = {
    "--profile spkie": "There is no profile 'spkie': did you mean spike? There are constant, ramp,",
    "--rps 100 --peak 50": "The peak, 50/s, is below the rate that it rises from, 100/s",
    "--peak 50": "The peak, 50/s, is below the rate that it rises from, 100/s",
    "--rps 0": "rps must be at least 1, not 0.",
    "--concurrency 0": "concurrency must be at least 1, not 0.",
    "--seed -1": "seed must be at least 0, not -1.",
    "--mix random=-1": "The weight of random in --mix must be a whole number, 0 or more, not '-1'.",
    "--mix random=0": "mix must not be all zero",
    "--mix rnadom=1": "--mix knows no kind 'rnadom': did you mean random?",
    "--mix random": "--mix wants kinds with weights, such as random=80,write=5, not 'random'.",
    "--mix random=1,random=2": "--mix names random twice.",
    "--for 0s": "'0s' is no duration from a second to a day, such as 60s, 10m or 1h.",
    "--for 25h": "'25h' is no duration",
    "--timeout soon": "'soon' is no duration",
    "--gate totl.p99=5": "There is no gate 'totl.p99': did you mean total.p99?",
    "--gate total.p50=5": "There is no gate 'total.p50': did you mean total.p95?",
    "--gate total.p99": "--gate total.p99 wants a limit: --gate total.p99=50.",
    "--gate total.p99=fast": "The gate total.p99 is a time in milliseconds, such as 50, not 'fast'.",
    "--gate error_rate=5": "The gate error_rate is a share from 0 to 1, such as 0.01, not '5'.",
    "--gate delivered_share=nan": "The gate delivered_share is a share from 0 to 1, such as 0.999, not 'nan'.",
    "--repeat 0": "--repeat must be at least 1, not 0.",
    "--rps many": "Invalid value for '--rps': Input should be a valid integer",
    "--frobnicate": "No such option: --frobnicate",
    "--context nowhere": "can't be used as a kubeconfig",
}


@pytest.mark.parametrize("flags", WRONG)
def test_wrong_flags_are_refused_in_one_line_before_anything_is_started(
    flags: str, measure: Measure, cluster: FakeCluster, results: Path
) -> None:
    said = measure(*flags.split())
    assert said.code == 2
    assert WRONG[flags] in said.err
    assert len(said.err.splitlines()) == 1
    assert cluster.started_runs == 0
    assert not results.exists()


def test_a_gate_on_a_stack_without_load_is_refused(measure: Measure, cluster: FakeCluster) -> None:
    cluster.data = None
    said = measure("--gate", "total.p99=50")
    assert said.code == 2
    assert "The stack multi-tier has no load generator: set load.enabled to true" in said.err


def test_a_user_who_may_not_is_told_what(measure: Measure, cluster: FakeCluster) -> None:
    cluster.forbidden = True
    said = measure()
    assert said.code == 2
    assert (
        "The kubeconfig's user is not allowed to GET /api/v1/namespaces/multi-tier/configmaps/multi-tier-load"
        in said.err
    )


def test_a_kubeconfig_that_is_none_is_refused(call: Measure, tmp_path: Path) -> None:
    said = call("run", "--kubeconfig", tmp_path / "none")
    assert said.code == 2
    assert f"{tmp_path / 'none'} can't be used as a kubeconfig: it does not exist. See --kubeconfig." in said.err
    (tmp_path / "broken").write_text("clusters: [")
    said = call("run", "--kubeconfig", tmp_path / "broken")
    assert said.code == 2
    assert f"{tmp_path / 'broken'} can't be used as a kubeconfig" in said.err


def test_results_that_can_not_be_written_are_refused(call: Measure, cluster: FakeCluster, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    said = call("run", "--kubeconfig", cluster.kubeconfig, "--results", tmp_path / "file")
    assert said.code == 2
    assert "can't be made for the results" in said.err
    assert cluster.started_runs == 0


@pytest.mark.parametrize("command", ["report", "compare"])
def test_a_directory_without_a_run_is_refused(command: str, call: Measure, tmp_path: Path) -> None:
    said = call(command, *([tmp_path] * (2 if command == "compare" else 1)))
    assert said.code == 2
    assert f"{tmp_path} holds no run" in said.err


def test_what_is_no_api_server_is_refused(
    measure: Measure, cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "answer", lambda *_: (200, b"<html>It works!</html>"))
    said = measure()
    assert said.code == 2
    assert "The kubeconfig's server is not a Kubernetes API server" in said.err
