"""How large machines are, what is set aside for them, and where they may run."""

from __future__ import annotations

from typing import Any

import pytest

from components.settings.values import Size
from tests.unit.components.mocks import Deployment, deploy
from tests.unit.components.test_components import domain

TOLERATIONS = [{"key": "dedicated", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 60}]


def instance(deployment: Deployment, machine: str) -> dict[str, Any]:
    found: dict[str, Any] = deployment.machine(machine)["template"]["spec"]
    return found


@pytest.mark.parametrize(
    ("tier", "size", "vcpus", "memory"),
    [
        ("database", "small", 2, "2Gi"),
        ("database", "medium", 4, "8Gi"),
        ("database", "large", 8, "16Gi"),
        ("web", "small", 1, "1Gi"),
        ("web", "medium", 2, "2Gi"),
        ("web", "large", 4, "4Gi"),
    ],
)
def test_a_size_has_its_tiers_figures(tier: str, size: str, vcpus: int, memory: str) -> None:
    sized = domain(deploy({tier: {"size": size}}), f"multi-tier-{tier}-0")

    assert sized["cpu"] == {"sockets": vcpus, "cores": 1, "threads": 1}
    assert sized["memory"] == {"guest": memory}


def test_small_is_what_one_gets_without_asking() -> None:
    small = {tier: {"size": str(Size.SMALL)} for tier in ("database", "application", "web")}

    assert [vm.inputs for vm in deploy(small).of_kind("VirtualMachine")] == [
        vm.inputs for vm in deploy().of_kind("VirtualMachine")
    ]


def test_what_is_set_aside_is_left_to_the_cluster_unless_it_is_asked_for() -> None:
    deployment = deploy({"web": {"cpuRequest": 1, "memoryRequest": "512Mi"}, "database": {"cpuRequest": "250m"}})

    assert domain(deployment, "multi-tier-web-0")["resources"] == {"requests": {"cpu": "1", "memory": "512Mi"}}
    assert domain(deployment, "multi-tier-database-0")["resources"] == {"requests": {"cpu": "250m"}}
    assert "resources" not in domain(deployment, "multi-tier-application-0")


def test_a_machine_runs_where_the_settings_let_it() -> None:
    wishes = {
        "nodeSelector": {"disktype": "ssd", "example.com/zone": "a"},
        "tolerations": TOLERATIONS,
        "evictionStrategy": "LiveMigrateIfPossible",
    }
    found = instance(deploy({"database": wishes}), "multi-tier-database-0")

    assert {key: found[key] for key in wishes} == wishes
    assert not set(wishes) & set(instance(deploy(), "multi-tier-database-0"))


def test_the_machines_of_a_tier_prefer_different_nodes() -> None:
    deployment = deploy({"web": {"replicas": 2}})
    (spread,) = instance(deployment, "multi-tier-web-1")["topologySpreadConstraints"]
    labels = deployment.machine("multi-tier-web-0")["template"]["metadata"]["labels"].items()

    assert spread["whenUnsatisfiable"] == "ScheduleAnyway"
    assert spread["topologyKey"] == "kubernetes.io/hostname"
    assert spread["labelSelector"]["matchLabels"].items() <= labels
    others = deployment.machine("multi-tier-application-0")["template"]["metadata"]["labels"].items()
    assert not spread["labelSelector"]["matchLabels"].items() <= others


@pytest.mark.parametrize(("wish", "found"), [("DoNotSchedule", ["DoNotSchedule"]), ("Off", [])])
def test_the_spread_is_as_strict_as_one_wants_it(wish: str, found: list[str]) -> None:
    spreads = instance(deploy({"web": {"topologySpread": wish}}), "multi-tier-web-0").get(
        "topologySpreadConstraints", []
    )

    assert [spread["whenUnsatisfiable"] for spread in spreads] == found


def test_one_machine_more_changes_none_of_the_others() -> None:
    one, two = deploy({"web": {"replicas": 1}}), deploy({"web": {"replicas": 2}})

    assert one.machine("multi-tier-web-0") == two.machine("multi-tier-web-0")
