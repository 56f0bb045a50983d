"""Faults are injected into a real stack with load running, by the command that a user types."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from faults.experiment import RECOVERY_BOUND
from kube import client
from kube.resources import NAMESPACES
from lab import backend
from lab.config import PROJECT, Lab

FAULTS = ("web-reloaded", "application-killed", "database-killed")


@pytest.fixture(scope="module")
def outcomes(control_plane: Lab, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """The outcome of each fault, as the results say it."""
    results = tmp_path_factory.mktemp("results") / "faults.json"
    variables = {"MULTI_TIER_LAB": str(control_plane.root), "MULTI_TIER_LAB_SUBNET": str(control_plane.subnet)}
    done = subprocess.run(
        [sys.executable, "-m", "faults", *FAULTS, "--rate", "20", "--results", str(results)],
        cwd=PROJECT,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert results.exists(), done.stderr
    found: list[dict[str, Any]] = json.loads(results.read_text())
    assert done.returncode == (0 if all(one["passed"] for one in found) else 1), done.stderr
    return {one["fault"]: one for one in found}


def test_every_fault_that_was_asked_for_has_an_outcome(outcomes: dict[str, dict[str, Any]]) -> None:
    assert tuple(outcomes) == FAULTS


def test_no_acknowledged_write_is_lost(outcomes: dict[str, dict[str, Any]]) -> None:
    assert outcomes["database-killed"]["acknowledged_writes"] > 30
    assert {(one["lost_writes"], one["unexpected_writes"]) for one in outcomes.values()} == {(0, 0)}


def test_the_client_sees_the_killed_database_and_no_reload(outcomes: dict[str, dict[str, Any]]) -> None:
    assert outcomes["database-killed"]["client_errors"] + outcomes["database-killed"]["slow_answers"] > 0
    assert outcomes["web-reloaded"]["client_errors"] == 0


def test_all_is_as_before_in_time(outcomes: dict[str, dict[str, Any]]) -> None:
    assert all(one["recovery_s"] is not None and one["recovery_s"] <= RECOVERY_BOUND for one in outcomes.values())
    assert all(one["ready_s"] is not None for one in outcomes.values())


def test_the_stack_is_gone_afterwards(outcomes: dict[str, dict[str, Any]], control_plane: Lab) -> None:
    assert outcomes
    assert client.connect(control_plane.kubeconfig).find(NAMESPACES, "faults-load") is None
    assert "faults-load" not in backend.stacks(control_plane)
    assert not list((PROJECT / "stacks").glob("Pulumi.faults-*.yaml"))
