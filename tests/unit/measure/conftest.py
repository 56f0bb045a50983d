"""A fake cluster, and the program run against it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from measure import __main__ as program
from measure.output import report
from measure.run import session, watch
from measure.run.plan import seconds_of
from tests.unit.measure.fake_cluster import FakeCluster, fake_cluster


@dataclass(frozen=True, slots=True)
class Said:
    """What the program ended with."""

    code: int
    out: str
    err: str


Measure = Callable[..., Said]


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[FakeCluster]:
    with fake_cluster(tmp_path) as made:
        yield made


@pytest.fixture
def results(tmp_path: Path) -> Path:
    return tmp_path / "results"


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Measure:
    """Run the program in this process, with a quick look at everything."""
    monkeypatch.setattr(session, "POLL", 0.02)
    monkeypatch.setattr(watch, "POLL", 0.02)
    # A second of waiting for something that never comes is a tenth.
    monkeypatch.setattr(program, "seconds_of", lambda text: seconds_of(text) / 10)
    # test_measure_report.py draws.
    monkeypatch.setattr(report, "drawings", lambda *_: [])

    def run(*arguments: object) -> Said:
        monkeypatch.setattr(sys, "argv", ["measure", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            program.main()
        said = capsys.readouterr()
        return Said(int(ended.value.code or 0), said.out, said.err)

    return run


@pytest.fixture
def measure(call: Measure, cluster: FakeCluster, results: Path) -> Measure:
    """`python -m measure run` on the fake cluster."""
    return lambda *arguments: call("run", "--kubeconfig", cluster.kubeconfig, "--results", results, *arguments)
