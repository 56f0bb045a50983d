"""Settings of pools, and what a pool can't do."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.components.settings.refused import accepted, named, refusals

DEDICATED = {"load": {"dedicated": True}}
SCALING = {"autoscaling": {"maxReplicas": 4}}
POOL = {"enabled": True}
COUNT = "must be a whole number from 1 to 1,000"
REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"pool": True}, "pool: true must be a mapping with some of the keys enabled, autoscaling"),
    ({"pool": SCALING}, "pool.autoscaling: needs enabled true: only a pool can be scaled by the cluster"),
    ({"pool": {**POOL, "autoscaling": {}}}, "pool.autoscaling.maxReplicas: is missing"),
    ({"pool": {**POOL, "autoscaling": {"maxReplicas": 0}}}, f"pool.autoscaling.maxReplicas: 0 {COUNT}"),
    (
        {"replicas": 5, "cpuRequest": "500m", "pool": {**POOL, **SCALING}},
        "pool.autoscaling.maxReplicas: 4 is below replicas 5",
    ),
    (
        {"pool": {**POOL, **SCALING}},
        "pool.autoscaling.targetCpu: 70 needs cpuRequest, since it is a percentage of that: the default is a tenth of "
        "the CPUs",
    ),
    (
        {"pool": POOL, "image": {"url": "https://images.example/a.qcow2"}},
        "image: needs containerDisk in a pool: KubeVirt restarts its machines, and other disks stay as they were",
    ),
]


@pytest.mark.parametrize("tier", ["application", "web"])
@pytest.mark.parametrize(("settings", "line"), named(REFUSED))
def test_what_a_pool_cannot_do_is_refused(tier: str, settings: dict[str, Any], line: str) -> None:
    assert refusals({tier: settings, **DEDICATED}) == [f"{tier}.{line}"]


def test_only_application_and_web_can_be_pools() -> None:
    assert refusals({"database": {"pool": POOL}}) == ["database.pool: is unknown here; it belongs to application, web"]


def test_no_machine_of_a_pool_runs_the_load_generator() -> None:
    assert refusals({"web": {"pool": POOL}}) == [
        "web.pool.enabled: true needs load.dedicated, or load.enabled false: no machine of a pool can run the load "
        "generator"
    ]
    assert accepted({"web": {"pool": POOL}, "load": {"enabled": False}}).web.pooled


def test_a_pool_has_no_canary() -> None:
    canary = {"version": "v2", "weight": 10}
    assert refusals({"application": {"pool": POOL, "canary": canary}, "mesh": {"enabled": True}}) == [
        "application.canary: needs pool.enabled false: all machines of a pool have the same version"
    ]


def test_the_database_has_to_accept_the_connections_of_the_largest_pool() -> None:
    scaling = {"enabled": True, "autoscaling": {"maxReplicas": 20}}
    assert refusals({"application": {"pool": scaling, "cpuRequest": "500m"}}) == [
        "application.pool.autoscaling.maxReplicas: 20 need 11 connections each, but PostgreSQL accepts 197: use at "
        "most 17"
    ]


def test_the_machine_with_the_longest_name_has_to_fit_a_label() -> None:
    name = "a" * 44
    scaling = {"enabled": True, "autoscaling": {"maxReplicas": 11}}
    assert accepted({"name": name, "application": {"pool": POOL}})
    assert refusals({"name": name, "application": {"pool": scaling, "cpuRequest": 1}}) == [
        f'name: "{name}" is too long: {name}-application-pool-10 has more than 63 characters, so use at most 43'
    ]
