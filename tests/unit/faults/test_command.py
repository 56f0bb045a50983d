"""The command line lists the faults, refuses what it doesn't know before anything starts, and shows every outcome."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from faults.__main__ import FAULTS, app, line, table
from faults.experiment import Outcome
from lab.errors import LabError

PASSED = Outcome(
    fault="web-killed",
    client_errors=5,
    unavailable_s=1.25,
    recovery_s=1,
    lost_writes=0,
    unexpected_writes=0,
    seconds=0.1,
    ready_s=6.0,
    requests=300,
    failures={"broken connection": 5},
    slow_answers=2,
    latency_bound_ms=250.0,
    acknowledged_writes=60,
    writes_in_doubt=1,
    problems=[],
    passed=True,
)
FAILED = replace(PASSED, fault="etcd-away", recovery_s=None, ready_s=None, problems=["too late"], passed=False)


def test_the_list_has_every_fault_with_a_sentence() -> None:
    shown = CliRunner().invoke(app, ["--list"])
    assert shown.exit_code == 0
    for line_ in shown.output.splitlines():
        name, _, sentence = line_.partition("  ")
        assert FAULTS[name].sentence == sentence.strip()
    assert len(shown.output.splitlines()) == len(FAULTS)
    assert all(fault.sentence.endswith(".") for fault in FAULTS.values())


def test_an_unknown_fault_is_refused_before_anything_starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    refused = CliRunner().invoke(app, ["web-kiled", "web-killed"])
    assert isinstance(refused.exception, LabError)
    assert str(refused.exception) == "No fault web-kiled. See --list."
    assert list(tmp_path.iterdir()) == []


def test_the_table_says_what_never_happened_and_why_a_fault_did_not_pass() -> None:
    text = io.StringIO()
    Console(file=text, width=160).print(table([PASSED, FAILED]))
    passed, failed = (row for row in text.getvalue().splitlines() if "-killed" in row or "-away" in row)
    assert passed.split("│")[1:-1] != failed.split("│")[1:-1]
    assert "passed" in passed
    assert failed.count("never") == 2
    assert "too late" in failed
    assert line(FAILED) == "etcd-away: 5 of 300 requests failed; too late"


def test_an_outcome_is_written_with_the_fields_that_the_results_promise() -> None:
    written = json.loads(json.dumps(PASSED.as_dict()))
    assert {"fault", "client_errors", "unavailable_s", "recovery_s", "lost_writes"} <= set(written)
