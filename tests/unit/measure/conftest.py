"""A fake cluster, and the program run against it in this process."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from kube import client
from measure import __main__ as program
from measure.output import report
from measure.run import session, watch
from measure.run.plan import seconds_of
from measure.summary import Summary
from tests.unit.measure.fake_cluster import FakeCluster


@dataclass(frozen=True, slots=True)
class Ended:
    """Exit code and output of the program."""

    code: int
    out: str
    err: str


Program = Callable[..., Ended]


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> FakeCluster:
    made = FakeCluster()
    monkeypatch.setattr(client, "connect", lambda *_, **__: made)
    return made


@pytest.fixture
def results(tmp_path: Path) -> Path:
    return tmp_path / "results"


@pytest.fixture
def measure(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Program:
    """`python -m measure` with fast polls, timeouts of a tenth, and no plots (test_report.py has them)."""
    monkeypatch.setattr(session, "POLL", 0.01)
    monkeypatch.setattr(watch, "POLL", 0.01)
    monkeypatch.setattr(program, "seconds_of", lambda text: seconds_of(text) / 10)
    monkeypatch.setattr(report, "drawings", lambda *_: [])

    def run(*arguments: object) -> Ended:
        monkeypatch.setattr(sys, "argv", ["measure", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            program.main()
        printed = capsys.readouterr()
        return Ended(int(ended.value.code or 0), printed.out, printed.err)

    return run


@pytest.fixture
def measure_run(measure: Program, cluster: FakeCluster, results: Path) -> Program:  # noqa: ARG001
    """`python -m measure run` on the fake cluster."""
    return lambda *arguments: measure("run", "--results", results, *arguments)


@pytest.fixture
def measure_chaos(measure: Program, cluster: FakeCluster, results: Path) -> Program:  # noqa: ARG001
    """`python -m measure chaos` on the fake cluster."""
    return lambda *arguments: measure("chaos", "--results", results, *arguments)


def only_run(results: Path) -> Path:
    (directory,) = results.iterdir()
    return directory


def summary_of(directory: Path) -> Summary:
    return Summary.model_validate_json((directory / "summary.json").read_text())
