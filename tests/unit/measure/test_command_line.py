"""Wrong usage: one helpful line, exit code 2, and nothing started."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from measure import failures
from tests.unit.measure.conftest import Program
from tests.unit.measure.fake_cluster import FakeCluster

WRONG = {
    "--profile spkie": "Unknown profile 'spkie': did you mean spike? Choose from constant, ramp,",
    "--rps 100 --peak 50": "The peak rate, 50/s, is below the initial rate, 100/s. Change --peak or --rps.",
    "--peak 50": "The peak rate, 50/s, is below the initial rate, 100/s.",
    "--rps 0": "rps must be at least 1, not 0.",
    "--rps 100001": "rps must be at most 100,000, not 100001.",
    "--peak 1000000": "peak must be at most 100,000, not 1000000.",
    "--concurrency 10001": "concurrency must be at most 10,000, not 10001.",
    "--seed -1": "seed must be at least 0, not -1.",
    "--mix random=-1": "The weight of random in --mix must be a whole number, 0 or more, not '-1'.",
    "--mix random=0": "mix must not be all zero",
    "--mix rnadom=1": "Unknown kind of request 'rnadom': did you mean random?",
    "--mix random": "--mix takes kinds with weights, such as random=80,write=5, not 'random'.",
    "--mix random=1,random=2": "--mix has random twice.",
    "--for 0s": "'0s' is not a duration from 1s to 24h, such as 60s, 10m or 1h.",
    "--for 25h": "'25h' is not a duration",
    "--timeout soon": "'soon' is not a duration",
    "--gate totl.p99=5": "Unknown gate 'totl.p99': did you mean total.p99?",
    "--gate total.p99": "--gate total.p99 needs a limit, such as --gate total.p99=50.",
    "--gate total.p99=fast": "Gate total.p99 must be a time in milliseconds, such as 50, not 'fast'.",
    "--gate error_rate=5": "Gate error_rate must be a share from 0 to 1, such as 0.01, not '5'.",
    "--gate delivered_share=nan": "Gate delivered_share must be a share from 0 to 1, such as 0.999, not 'nan'.",
    "--repeat 0": "--repeat must be at least 1, not 0.",
    "--rps many": "Invalid value for '--rps': Input should be a valid integer",
    "--frobnicate": "No such option: --frobnicate",
}


@pytest.mark.parametrize("flags", WRONG)
def test_wrong_flags_are_refused_in_one_line_before_anything_is_started(
    flags: str, measure_run: Program, cluster: FakeCluster, results: Path
) -> None:
    ended = measure_run(*flags.split())
    assert ended.code == 2
    assert WRONG[flags] in ended.err
    assert len(ended.err.splitlines()) == 1
    assert cluster.changes == []
    assert not results.exists()


def test_more_requests_in_flight_than_the_generators_memory_holds_are_refused(
    measure_run: Program, cluster: FakeCluster, results: Path
) -> None:
    cluster.memory = "512Mi"
    ended = measure_run("--rps", "10000", "--concurrency", "5000")
    assert ended.code == 2
    assert ended.err.splitlines() == [
        "✗ 5,000 requests in flight need more memory than the 512Mi of web-0, which generates the load: each takes "
        "217 KB. Use at most --concurrency 1257."
    ]
    assert cluster.changes == []
    assert not results.exists()


def test_a_gate_on_a_stack_without_load_is_refused(measure_run: Program, cluster: FakeCluster) -> None:
    cluster.data = None
    ended = measure_run("--gate", "total.p99=50")
    assert ended.code == 2
    assert "Stack multi-tier has no load generator. Set load.enabled to true" in ended.err


def test_a_user_without_the_rights_learns_which_are_missing(measure_run: Program, cluster: FakeCluster) -> None:
    cluster.forbidden = True
    ended = measure_run()
    assert ended.code == 2
    assert "is not allowed to GET /api/v1/namespaces/multi-tier/configmaps/multi-tier-load" in ended.err


def test_a_missing_or_broken_kubeconfig_is_refused(measure: Program, tmp_path: Path) -> None:
    ended = measure("run", "--kubeconfig", tmp_path / "[none]")
    assert ended.code == 2
    assert f"{tmp_path / '[none]'} can't be used as a kubeconfig: it does not exist. See --kubeconfig." in ended.err
    (tmp_path / "broken").write_text("clusters: [")
    ended = measure("run", "--kubeconfig", tmp_path / "broken")
    assert ended.code == 2
    assert f"{tmp_path / 'broken'} can't be used as a kubeconfig" in ended.err


def test_results_that_can_not_be_written_are_refused(measure: Program, cluster: FakeCluster, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    ended = measure("run", "--results", tmp_path / "file")
    assert ended.code == 2
    assert "for the results" in ended.err
    assert cluster.changes == []


@pytest.mark.parametrize(("command", "directories"), [("report", 1), ("compare", 2)])
def test_a_directory_without_a_run_is_refused(command: str, directories: int, measure: Program, tmp_path: Path) -> None:
    ended = measure(command, *[tmp_path] * directories)
    assert ended.code == 2
    assert f"{tmp_path} holds no run" in ended.err


def test_a_printed_command_works_as_typed_in_the_current_directory(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / ".venv/bin/python"))
    assert failures.command("watch") == f"{tmp_path}/.venv/bin/python -m measure watch"
    monkeypatch.chdir(tmp_path)
    assert failures.command("watch") == ".venv/bin/python -m measure watch"
