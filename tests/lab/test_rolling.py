"""Machines are replaced, deleted and removed under load: two of a tier fail no request, a database loses no write."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest

from kube.resources import VIRTUAL_MACHINE_INSTANCES, VIRTUAL_MACHINES
from lab.config import Lab
from tests.lab.stack import Stack, wait_until
from tests.lab.under_load import RPS, TIERS, deployed_under_load, under_load

NAME = "rolling"


@pytest.fixture(scope="module")
def stack(control_plane: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Two application and two web machines, under load from a machine of its own."""
    with deployed_under_load(control_plane, tmp_path_factory.mktemp(NAME), NAME, {"replicas": 2}) as stack:
        yield stack


def machine(stack: Stack, name: str) -> dict[str, Any]:
    found: dict[str, Any] = stack.cluster.get(VIRTUAL_MACHINES, name, NAME)
    return found


def ready_since(found: dict[str, Any]) -> datetime:
    (condition,) = (one for one in found["status"]["conditions"] if one["type"] == "Ready")
    assert condition["status"] == "True"
    return datetime.fromisoformat(condition["lastTransitionTime"])


@pytest.mark.parametrize("tier", TIERS)
def test_a_changed_tier_is_replaced_one_machine_at_a_time_and_fails_no_request(stack: Stack, tier: str) -> None:
    names = [f"{NAME}-{tier}-{index}" for index in range(2)]
    before = [machine(stack, name)["metadata"]["uid"] for name in names]
    stack.configure(f"multi-tier:{tier}.version", "v2")
    with under_load(stack) as load:
        stack.up()

    first, second = (machine(stack, name) for name in names)
    assert not {first["metadata"]["uid"], second["metadata"]["uid"]} & set(before)
    assert datetime.fromisoformat(second["metadata"]["creationTimestamp"]) >= ready_since(first)
    assert load.failed == []


@pytest.mark.parametrize("tier", TIERS)
def test_a_deleted_instance_of_two_fails_no_request(stack: Stack, tier: str) -> None:
    name = f"{NAME}-{tier}-0"
    before = stack.instance_uid(name)
    with under_load(stack) as load:
        stack.cluster.delete(VIRTUAL_MACHINE_INSTANCES, name, NAME)

        def replaced() -> bool:
            found = stack.cluster.find(VIRTUAL_MACHINE_INSTANCES, name, NAME)
            return bool(found and found["metadata"]["uid"] != before and stack.machine_ready(name))

        wait_until("its successor is ready", replaced)

    assert load.failed == []


def test_a_changed_database_fails_requests_until_it_serves_again_and_keeps_each_acknowledged_write(
    stack: Stack,
) -> None:
    def history() -> int:
        with stack.database() as connection:
            (lines,) = connection.execute("SELECT count(*) FROM pgbench_history").fetchone() or (0,)
        return int(lines)

    before = history()
    stack.configure("multi-tier:database.version", "v2")
    with under_load(stack) as load, stack.client() as client:
        stack.up()
        wait_until("requests succeed", lambda: client.get("/api/v1/accounts/1").status_code == 200, 15)

    assert history() - before >= load.acknowledged_writes > 0
    assert load.failed, "the only machine was away"
    assert load.samples["good"][-RPS:].all(), "requests of the last second"


def test_a_tier_scales_in_without_a_failed_request(stack: Stack) -> None:
    for tier in TIERS:
        stack.configure(f"multi-tier:{tier}.replicas", 1)
    kept = [machine(stack, f"{NAME}-{tier}-0")["metadata"]["uid"] for tier in TIERS]
    with under_load(stack) as load:
        stack.up()

    assert [stack.cluster.find(VIRTUAL_MACHINES, f"{NAME}-{tier}-1", NAME) for tier in TIERS] == [None, None]
    assert [machine(stack, f"{NAME}-{tier}-0")["metadata"]["uid"] for tier in TIERS] == kept
    assert load.failed == []
