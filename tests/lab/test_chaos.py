"""Chaos on the lab: a fault between two tiers shows in the run as that of the tier behind, and then vanishes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.lab.stack import Stack

FAULT = "tier=application,network.latency=50ms,start=8s,duration=8s"


@pytest.fixture(scope="module")
def run(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The summary of a run with 50 ms between application and database for a while."""
    results: Path = tmp_path_factory.mktemp("chaos")
    load = ["--rps", "40", "--for", "24s", "--results", str(results)]
    done = stack.measure("chaos", *load, "--fault", FAULT, "--gate", "error_rate=1", "--gate", "delivered_share=0")
    assert done.returncode == 0, done.stdout + done.stderr
    (path,) = results.glob("*/summary.json")
    summary: dict[str, Any] = json.loads(path.read_text())
    return summary


def test_latency_between_application_and_database_shows_as_the_databases_and_vanishes_afterwards(
    run: dict[str, Any],
) -> None:
    (fault,) = run["faults"]
    parts = {one["part"]: one for one in fault["parts"]}

    assert "the part that grew most is the database's time" in fault["finding"]
    assert parts["database"]["during"] > parts["database"]["before"] + 40
    assert parts["database"]["after"] < parts["database"]["during"] - 30


def test_no_request_fails_by_the_switch_to_the_proxy_and_back(run: dict[str, Any]) -> None:
    assert run["delivery"]["errors"] == 0


def test_the_machine_reports_when_the_fault_was_in_force_and_how(run: dict[str, Any]) -> None:
    (fault,) = run["faults"]
    (span,) = fault["spans"]

    assert span["machine"].endswith("application-0")
    assert 8 <= span["began"] < 14
    assert span["began"] < span["ended"] < 18
    assert span["means"].startswith("proxy, without netem")


def test_nothing_is_asked_of_the_guests_afterwards(stack: Stack, run: dict[str, Any]) -> None:
    assert run["faults"]
    client = stack.load_cluster()
    assert "run.json" not in client.config_map(client.faults_name)
