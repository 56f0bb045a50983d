"""Tiers that are pools: KubeVirt rolls, repairs and scales them under load, and no request fails."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import pytest

from kube.resources import VIRTUAL_MACHINE_INSTANCES, VIRTUAL_MACHINE_POOLS, VIRTUAL_MACHINES, Object
from lab.config import Lab
from tests.lab.stack import Stack, wait_until
from tests.lab.under_load import TIERS, deployed_under_load, under_load

NAME = "pooled"
POOL: dict[str, Any] = {"replicas": 2, "pool": {"enabled": True}}


@pytest.fixture(scope="module")
def stack(control_plane: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Pools of two application and of two web machines, under load from a machine of its own."""
    with deployed_under_load(control_plane, tmp_path_factory.mktemp(NAME), NAME, POOL) as stack:
        yield stack


def instances(stack: Stack, tier: str) -> list[Object]:
    """Return the instances of a tier's pool by name, without those that end."""
    found = stack.cluster.list(VIRTUAL_MACHINE_INSTANCES, NAME)[0]
    of_tier = [one for one in found if one["metadata"]["name"].startswith(f"{NAME}-{tier}-pool-")]
    return sorted(
        (one for one in of_tier if "deletionTimestamp" not in one["metadata"]), key=lambda one: one["metadata"]["name"]
    )


def uids(stack: Stack, tier: str) -> list[str]:
    return [one["metadata"]["uid"] for one in instances(stack, tier)]


def is_ready(stack: Stack, name: str) -> bool:
    found = stack.cluster.find(VIRTUAL_MACHINES, name, NAME) or {}
    return bool(found.get("status", {}).get("ready"))


def scale(stack: Stack, name: str, replicas: int) -> None:
    """Scale a pool as an autoscaler does."""
    wanted = {"spec": {"replicas": replicas}}
    stack.cluster.patch(VIRTUAL_MACHINE_POOLS, name, wanted, namespace=NAME, subresource="scale")


def ready_since(instance: Object) -> datetime:
    (condition,) = (one for one in instance["status"]["conditions"] if one["type"] == "Ready")
    assert condition["status"] == "True", instance["metadata"]["name"]
    return datetime.fromisoformat(condition["lastTransitionTime"])


def created(instance: Object) -> datetime:
    return datetime.fromisoformat(instance["metadata"]["creationTimestamp"])


def test_a_tier_starts_once_all_machines_of_the_pool_behind_it_are_ready(stack: Stack) -> None:
    application, web = (instances(stack, tier) for tier in TIERS)

    assert [one["metadata"]["name"] for one in application] == stack.outputs()["virtualMachines"]["application"]
    assert min(map(created, web)) >= max(map(ready_since, application))


def test_an_unchanged_pool_is_left_alone(stack: Stack) -> None:
    assert stack.preview() == []


@pytest.mark.parametrize("tier", TIERS)
def test_a_changed_pool_rolls_one_machine_at_a_time_and_fails_no_request(
    stack: Stack, tier: str, record_property: Callable[[str, object], None]
) -> None:
    before = instances(stack, tier)
    stack.configure(f"multi-tier:{tier}.version", "v2")
    with under_load(stack) as load:
        stack.up()
        after = instances(stack, tier)  # `up` is done once all of them are new

    assert len(after) == len(before) == 2
    assert not {one["metadata"]["uid"] for one in before} & {one["metadata"]["uid"] for one in after}
    earlier, later = sorted(after, key=created)
    assert created(later) >= ready_since(earlier)
    assert load.failed == []
    record_property("requests", len(load.samples))


def test_a_deleted_machine_of_a_pool_comes_back_by_itself(stack: Stack) -> None:
    name = f"{NAME}-application-pool-1"
    before = stack.cluster.get(VIRTUAL_MACHINES, name, NAME)["metadata"]["uid"]
    with under_load(stack) as load:
        stack.cluster.delete(VIRTUAL_MACHINES, name, NAME)

        def replaced() -> bool:
            found = stack.cluster.find(VIRTUAL_MACHINES, name, NAME)
            return bool(found and found["metadata"]["uid"] != before and stack.machine_ready(name))

        wait_until("its successor is ready", replaced)

    assert load.failed == []


def test_what_an_autoscaler_does_stays_and_fails_no_request(stack: Stack) -> None:
    name = f"{NAME}-application-pool"
    stack.configure("multi-tier:application.cpuRequest", "100m")
    stack.configure("multi-tier:application.pool.autoscaling.maxReplicas", 3)
    with under_load(stack) as load:
        stack.up()
        kept = uids(stack, "application")
        scale(stack, name, 3)
        wait_until("the third machine is ready", lambda: is_ready(stack, f"{name}-2"))
        stack.up()
        assert len(uids(stack, "application")) == 3
        scale(stack, name, 2)
        wait_until("the third machine is gone", lambda: stack.cluster.find(VIRTUAL_MACHINES, f"{name}-2", NAME) is None)

    assert uids(stack, "application") == kept
    assert load.failed == []


def test_a_tier_that_is_no_pool_any_more_fails_no_request(stack: Stack) -> None:
    path = "multi-tier:application.pool.autoscaling"
    stack.run("config", "rm", "--path", path, "--stack", NAME, "--config-file", str(stack.configuration))
    for tier in TIERS:
        stack.configure(f"multi-tier:{tier}.pool.enabled", "false")
    with under_load(stack) as load:
        stack.up()

    machines = {one["metadata"]["name"] for one in stack.cluster.list(VIRTUAL_MACHINES, NAME)[0]}
    pairs = {f"{NAME}-{tier}-{index}" for tier in TIERS for index in range(2)}
    assert machines == {f"{NAME}-database-0", f"{NAME}-load-0", *pairs}
    assert load.failed == []


def test_nothing_of_a_pool_is_left_after_destroy(stack: Stack) -> None:
    for tier in TIERS:
        stack.configure(f"multi-tier:{tier}.pool.enabled", "true")
    stack.up()
    stack.pulumi("destroy", "--yes", "--skip-preview")

    for resource in (VIRTUAL_MACHINES, VIRTUAL_MACHINE_INSTANCES):
        assert stack.cluster.list(resource, NAME)[0] == []
