"""VirtualMachines: size, disks, firmware, scheduling."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.unit.components.mocks import DEDICATED, METRICS, SCALED, Deployment, deploy

GOLDEN = {"dataSource": {"name": "fedora42", "namespace": "openshift-virtualization-os-images"}, "size": "40Gi"}
ON_FEDORA = {"family": "fedora", "instancetype": "u1.small", "preference": "fedora", "image": GOLDEN}
EXPOSED = {
    "mesh": {"enabled": True},
    "networkPolicies": {"webFrom": [], "loadFrom": [], "metricsFrom": ["monitoring"]},
    "web": {
        "service": {"type": "LoadBalancer"},
        "expose": {"kind": "HTTPRoute", "gateway": {"name": "public"}},
    },
}
ON_ARM = {tier: {"architecture": "arm64", "image": {"registry": "a/debian:12"}} for tier in ("database", "web")}
CONFIGS = [
    {},
    SCALED,
    {"web": ON_FEDORA, "database": ON_FEDORA},
    {"load": {"enabled": False}},
    {**DEDICATED, **METRICS},
    EXPOSED,
    ON_ARM,
]
# These request a feature without options, and the API keeps them.
EMPTY_ON_PURPOSE = re.compile(r"\.(rng|masquerade|pod|blank)$")


def domain(deployment: Deployment, machine: str) -> dict[str, Any]:
    found: dict[str, Any] = deployment.instance(machine)["domain"]
    return found


@pytest.mark.parametrize("config", CONFIGS)
def test_every_disk_has_a_volume_and_every_volume_a_disk(config: dict[str, Any]) -> None:
    deployment = deploy(config)
    for name in deployment.machines:
        disks = [disk["name"] for disk in domain(deployment, name)["devices"]["disks"]]

        assert sorted(disks) == sorted(deployment.volumes(name)), "KubeVirt adds a disk for a volume without one"
        assert disks[0] == "root", "the firmware boots from the first disk"


@pytest.mark.parametrize("config", CONFIGS)
def test_webhooks_have_nothing_to_add(config: dict[str, Any]) -> None:
    deployment = deploy(config)
    for name in deployment.machines:
        arm = deployment.instance(name)["architecture"] == "arm64"
        assert domain(deployment, name)["machine"] == {"type": "virt" if arm else "q35"}
        assert set(domain(deployment, name)["firmware"]) == {"uuid", "serial"}
        assert deployment.machine(name)["runStrategy"] == "Always"


@pytest.mark.parametrize("config", CONFIGS)
def test_no_map_or_list_is_empty_because_every_preview_would_show_a_change(config: dict[str, Any]) -> None:
    def empty(value: Any, path: str) -> list[str]:
        if isinstance(value, dict | list) and not value:
            return [] if EMPTY_ON_PURPOSE.search(path) else [path]
        items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        return [found for key, item in items for found in empty(item, f"{path}.{key}")]

    for resource in deploy(config).objects:
        assert not empty(resource.inputs, resource.name)


def test_firmware_identities_are_unique_and_stable() -> None:
    def identities(config: dict[str, Any]) -> list[str]:
        deployment = deploy(config)
        return [domain(deployment, name)["firmware"]["uuid"] for name in deployment.machines]

    assert identities(SCALED) == identities({**SCALED, "load": {"rps": 1}})
    assert len({*identities(SCALED), *identities({"namespace": "other"})}) == 8


def test_a_machine_keeps_its_hardware_address_over_all_its_instances() -> None:
    def addresses(config: dict[str, Any]) -> list[str]:
        deployment = deploy(config)
        found = [domain(deployment, name)["devices"]["interfaces"][0]["macAddress"] for name in deployment.machines]
        assert all(re.fullmatch("02(:[0-9a-f]{2}){5}", address) for address in found), "unicast, locally administered"
        return found

    assert addresses(SCALED) == addresses({**SCALED, "load": {"rps": 1}})
    assert len({*addresses(SCALED), *addresses({"namespace": "other"})}) == 8


def test_a_tier_can_be_of_another_architecture() -> None:
    deployment = deploy(ON_ARM)
    (root,) = deployment.machine("multi-tier-web-0")["dataVolumeTemplates"]

    assert deployment.instance("multi-tier-web-0")["architecture"] == "arm64"
    assert root["spec"]["source"]["registry"]["platform"] == {"architecture": "arm64"}
    assert deployment.instance("multi-tier-application-0")["architecture"] == "amd64"


def test_a_hanging_guest_is_reset_where_kubevirt_has_a_watchdog_for_its_architecture() -> None:
    deployment = deploy(ON_ARM)
    devices = {name: domain(deployment, name)["devices"] for name in deployment.machines}

    assert devices["multi-tier-application-0"]["watchdog"] == {"name": "watchdog", "i6300esb": {"action": "reset"}}
    assert "watchdog" not in devices["multi-tier-web-0"], "KubeVirt refuses it"


def test_an_instancetype_replaces_cpus_and_memory() -> None:
    deployment = deploy({"web": ON_FEDORA})
    spec = deployment.machine("multi-tier-web-0")

    assert spec["instancetype"] == {"kind": "VirtualMachineClusterInstancetype", "name": "u1.small"}
    assert spec["preference"] == {"kind": "VirtualMachineClusterPreference", "name": "fedora"}
    assert not {"cpu", "memory"} & set(domain(deployment, "multi-tier-web-0"))
    assert "instancetype" not in deployment.machine("multi-tier-database-0")


@pytest.mark.parametrize(
    ("tier", "machine", "vcpus", "memory"),
    [
        ("database", {"size": "small"}, 2, "2Gi"),
        ("database", {"size": "medium"}, 4, "8Gi"),
        ("database", {"size": "large"}, 8, "16Gi"),
        ("web", {"size": "small"}, 1, "1Gi"),
        ("web", {"size": "medium"}, 2, "2Gi"),
        ("web", {"size": "large"}, 4, "4Gi"),
        ("web", {"vcpus": 3, "memory": "3Gi"}, 3, "3Gi"),
        ("web", {}, 1, "1Gi"),
        ("database", {}, 2, "2Gi"),
    ],
)
def test_a_machine_has_the_size_in_the_settings(tier: str, machine: dict[str, Any], vcpus: int, memory: str) -> None:
    sized = domain(deploy({tier: machine}), f"multi-tier-{tier}-0")

    assert sized["cpu"] == {"sockets": vcpus, "cores": 1, "threads": 1}
    assert sized["memory"] == {"guest": memory}


def test_requests_are_left_to_the_cluster_unless_set() -> None:
    deployment = deploy({"web": {"cpuRequest": 1, "memoryRequest": "512Mi"}, "database": {"cpuRequest": "250m"}})

    assert domain(deployment, "multi-tier-web-0")["resources"] == {"requests": {"cpu": "1", "memory": "512Mi"}}
    assert domain(deployment, "multi-tier-database-0")["resources"] == {"requests": {"cpu": "250m"}}
    assert "resources" not in domain(deployment, "multi-tier-application-0")


def test_a_machine_is_scheduled_and_evicted_as_set() -> None:
    scheduling = {
        "nodeSelector": {"disktype": "ssd", "example.com/zone": "a"},
        "tolerations": [{"key": "dedicated", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 60}],
        "evictionStrategy": "External",
    }
    found = deploy({"database": scheduling}).instance("multi-tier-database-0")

    assert {key: found[key] for key in scheduling} == scheduling
    assert not {"nodeSelector", "tolerations"} & set(deploy().instance("multi-tier-database-0"))


@pytest.mark.parametrize("config", CONFIGS)
def test_a_node_drains_even_where_the_cluster_asks_for_live_migration_by_default(config: dict[str, Any]) -> None:
    deployment = deploy(config)
    for name in deployment.machines:
        assert deployment.instance(name)["evictionStrategy"] == "LiveMigrateIfPossible"


def test_the_machines_of_a_tier_prefer_different_nodes() -> None:
    deployment = deploy({"web": {"replicas": 2}})
    (spread,) = deployment.instance("multi-tier-web-1")["topologySpreadConstraints"]
    selector = spread["labelSelector"]["matchLabels"].items()

    assert spread["whenUnsatisfiable"] == "ScheduleAnyway"
    assert spread["topologyKey"] == "kubernetes.io/hostname"
    assert selector <= deployment.machine("multi-tier-web-0")["template"]["metadata"]["labels"].items()
    assert not selector <= deployment.machine("multi-tier-application-0")["template"]["metadata"]["labels"].items()


@pytest.mark.parametrize(("chosen", "found"), [("DoNotSchedule", ["DoNotSchedule"]), ("Off", [])])
def test_the_spread_can_be_required_or_off(chosen: str, found: list[str]) -> None:
    instance = deploy({"web": {"topologySpread": chosen}}).instance("multi-tier-web-0")

    assert [one["whenUnsatisfiable"] for one in instance.get("topologySpreadConstraints", [])] == found
