"""The data disk's performance, from the application to summary, terminal and report."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from measure.output.files import read_summary
from tests.unit.measure.conftest import Program
from tests.unit.measure.fake_cluster import FakeCluster

JOB = {"operations_per_second": 12345.6, "bytes_per_second": 101_000_000, "p50_ms": 0.05, "p99_ms": 1.5}
FIGURES = {"measured": "2026-11-21T16:00:00.000Z", "seconds": 10, "jobs": {"random-read": JOB, "log-write": JOB}}


def test_the_data_disk_is_in_summary_terminal_and_report(
    measure_run: Program, cluster: FakeCluster, results: Path
) -> None:
    cluster.storage = FIGURES
    ended = measure_run()
    (directory,) = results.iterdir()
    storage = read_summary(directory).storage
    assert storage
    assert storage.model_dump() == FIGURES
    assert "Data disk (fio" in ended.out
    assert "12,346" in ended.out
    assert "<td>log-write</td><td>12,346</td><td>101.0</td>" in (directory / "report.html").read_text()


@pytest.mark.parametrize("response", [None, {"error": "no figures"}])
def test_a_run_does_not_need_them(
    measure_run: Program, cluster: FakeCluster, results: Path, response: dict[str, Any]
) -> None:
    cluster.storage = response
    ended = measure_run("--for", "1s")
    (directory,) = results.iterdir()
    assert ended.code == 0
    assert read_summary(directory).storage is None
    assert "Data disk" not in ended.out
