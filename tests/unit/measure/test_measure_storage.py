"""What the database's disk was measured to do, among the results of a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from measure.output.report import render
from measure.output.results import read_samples, read_summary, timeline_of
from tests.unit.measure.conftest import Measure
from tests.unit.measure.fake_cluster import FakeCluster

JOB = {"operations_per_second": 12345.6, "bytes_per_second": 101_000_000, "p50_ms": 0.05, "p99_ms": 1.5}
FIGURES = {"measured": "2026-11-21T16:00:00.000Z", "seconds": 10, "jobs": {"random-read": JOB, "log-write": JOB}}


def test_figures_of_the_disk_stand_in_summary_terminal_and_report(
    measure: Measure, cluster: FakeCluster, results: Path
) -> None:
    cluster.storage = FIGURES
    said = measure()

    (directory,) = results.iterdir()
    summary, samples = read_summary(directory), read_samples(directory)
    assert summary.storage
    assert summary.storage.model_dump() == FIGURES
    assert "Data disk by fio" in said.out
    assert "12,346" in said.out
    page = render(summary, samples, timeline_of(summary, samples))
    assert "<td>log-write</td><td>12,346</td><td>101.0</td>" in page


@pytest.mark.parametrize("answer", [None, {"error": "no figures"}, {"jobs": 1}])
def test_a_run_does_without_them(measure: Measure, cluster: FakeCluster, results: Path, answer: dict[str, Any]) -> None:
    cluster.storage = answer
    said = measure()

    (directory,) = results.iterdir()
    assert said.code == 0
    assert read_summary(directory).storage is None
    assert "Data disk" not in said.out
