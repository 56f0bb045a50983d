"""A run's files survive a crash, and a full disk or a torn file is one clear line."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from measure.output import files
from measure.output.files import PERCENTILES, SAMPLES, SUMMARY, SamplesFile
from tests.unit.measure.conftest import Program
from tests.unit.measure.fake_cluster import FakeCluster
from tests.unit.measure.synthetic import plan, write_run


@pytest.fixture
def full_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk has room for the header of samples.csv only."""

    write_all = files._write_all
    written: list[bytes] = []

    def full(file: int, data: bytes) -> None:
        if written:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        written.append(data)
        write_all(file, data)

    monkeypatch.setattr(files, "_write_all", full)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return write_run(tmp_path / "run", plan(run="a-run"))


@pytest.mark.usefixtures("full_disk")
def test_a_run_on_a_full_disk_ends_and_its_verdict_is_printed(
    measure_run: Program, cluster: FakeCluster, results: Path
) -> None:
    ended = measure_run()
    (directory,) = results.iterdir()
    assert ended.code == 2
    assert f"Can't write {directory / SAMPLES}: No space left on device." in ended.out
    assert ended.err.splitlines() == [
        f"✗ Can't write {directory / PERCENTILES}: No space left on device. Make room, or set --results."
    ]
    assert cluster.changes[-1] == "removed"


def test_a_partial_write_is_continued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.write
    monkeypatch.setattr(os, "write", lambda file, data: write(file, bytes(data)[:1]))
    with SamplesFile(tmp_path) as file:
        file.append(b"line\n", "")
    assert (tmp_path / SAMPLES).read_bytes().endswith(b"trace\nline\n")


def test_a_file_is_replaced_whole_or_not_at_all(run: Path, measure: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    before = (run / SUMMARY).read_bytes()

    def crash(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", crash)
    assert measure("report", run).code == 130
    assert (run / SUMMARY).read_bytes() == before
    assert sorted(path.name for path in run.iterdir()) == [
        "percentiles.csv", "samples.csv", "summary.json", "timeline.csv",
    ]  # fmt: skip


@pytest.mark.parametrize("command", ["report", "compare"])
def test_a_torn_summary_is_refused(command: str, measure: Program, run: Path) -> None:
    (run / SUMMARY).write_bytes((run / SUMMARY).read_bytes()[:1000])
    ended = measure(command, *[run] * (2 if command == "compare" else 1))
    assert ended.code == 2
    assert ended.err.splitlines() == [f"✗ {run / SUMMARY} is torn: its JSON is incomplete. Measure again."]


@pytest.mark.parametrize("kept", [-30, 5000, 0])
def test_torn_samples_are_refused(kept: int, measure: Program, run: Path) -> None:
    (run / SAMPLES).write_bytes((run / SAMPLES).read_bytes()[:kept])
    ended = measure("report", run)
    assert ended.code == 2
    (line,) = ended.err.splitlines()
    assert line.startswith(f"✗ {run / SAMPLES} is torn: it has ")
    assert line.endswith(" of 1,000 requests. Measure again.")
