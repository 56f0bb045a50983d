"""Ctrl-C, as a process gets it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from lab.config import PROJECT
from measure.run.interrupt import interruptible
from tests.unit.measure.fake_cluster import FakeCluster


def begin(cluster: FakeCluster, results: Path) -> subprocess.Popen[str]:
    """Start a long run and return when the first samples have come."""
    places = ["--kubeconfig", str(cluster.kubeconfig), "--results", str(results)]
    command = [sys.executable, "-m", "measure", "run", "--for", "10m", *places]
    process = subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True)
    wait(lambda: cluster.run is not None and any(path.stat().st_size > 500 for path in results.glob("*/samples.csv")))
    return process


def wait(reached: object, seconds: float = 20.0) -> None:
    assert callable(reached)
    deadline = time.monotonic() + seconds
    while not reached():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.02)


def test_the_first_signal_stops_the_run_and_keeps_what_was_measured(cluster: FakeCluster, results: Path) -> None:
    process = begin(cluster, results)
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=20)
    (directory,) = results.iterdir()
    summary = json.loads((directory / "summary.json").read_text())
    assert process.returncode == 130
    assert "INTERRUPTED: Interrupted." in out
    assert summary["verdict"]["outcome"] == "interrupted"
    assert summary["delivery"]["sent"] > 0
    assert (directory / "report.html").exists()
    assert cluster.seen[-1] == "removed"


def test_a_pipelines_sigterm_stops_as_ctrl_c_does() -> None:
    with interruptible(lambda: None) as stop:
        assert not stop.is_set()
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop.wait(1)


def test_the_second_signal_ends_at_once(cluster: FakeCluster, results: Path) -> None:
    process = begin(cluster, results)
    with cluster.lock:  # the cluster doesn't answer: an orderly end would take its time
        os.kill(process.pid, signal.SIGINT)
        time.sleep(0.1)
        os.kill(process.pid, signal.SIGINT)
        assert process.wait(timeout=2) == 130
    assert process.stdout
    process.stdout.close()
