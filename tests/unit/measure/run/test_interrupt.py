"""Ctrl-C and SIGTERM."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from measure.run.interrupt import interruptible
from tests.unit.measure.conftest import Program
from tests.unit.measure.fake_cluster import FakeCluster


def test_the_first_signal_stops_the_run_and_keeps_its_results(
    measure_run: Program, cluster: FakeCluster, results: Path
) -> None:
    status: Callable[[], dict[str, Any]] = cluster.agent.status

    def interrupt() -> dict[str, Any]:
        if len(cluster.agent.log) > 500 and cluster.run:
            os.kill(os.getpid(), signal.SIGINT)
        return status()

    cluster.agent.status = interrupt  # type: ignore[method-assign]
    ended = measure_run("--for", "10m", "--rps", "10")
    (directory,) = results.iterdir()
    summary = json.loads((directory / "summary.json").read_text())
    assert ended.code == 130
    assert "INTERRUPTED: Interrupted." in ended.out
    assert summary["verdict"]["outcome"] == "interrupted"
    assert summary["delivery"]["sent"] > 0
    assert (directory / "report.html").exists()
    assert cluster.changes[-1] == "removed"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_second_signal_ends_the_process_at_once(number: signal.Signals, monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[object] = []
    monkeypatch.setattr(os, "_exit", order.append)
    with interruptible(lambda: order.append("cursor restored")) as stop:
        signal.raise_signal(number)
        assert stop.is_set()
        assert order == []
        signal.raise_signal(number)
    assert order == ["cursor restored", 130]
