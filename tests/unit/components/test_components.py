"""What the program registers: names, labels, machines, disks and services."""

from __future__ import annotations

import re
from typing import Any

import pytest

from cloudinit.constants import (
    APPLICATION_METRICS_PORT,
    APPLICATION_PORT,
    DATABASE_METRICS_PORT,
    DATABASE_NAME,
    DATABASE_PORT,
    DATABASE_USER,
    LOAD_AGENT_PORT,
    NODE_METRICS_PORT,
    WEB_METRICS_PORT,
    WEB_PORT,
)
from tests.unit.cloudinit.guest_examples import parse
from tests.unit.components.mocks import PASSWORD, Deployment, deploy

SCALED = {"application": {"replicas": 2}, "web": {"replicas": 2}}
DEDICATED = {"load": {"dedicated": True}, "metrics": {"enabled": True}}
GOLDEN = {"dataSource": {"name": "fedora", "namespace": "openshift-virtualization-os-images"}, "size": "40Gi"}
ON_FEDORA = {"family": "fedora", "instancetype": "u1.small", "preference": "fedora", "image": GOLDEN}
ROUTED = {"kind": "HTTPRoute", "gateway": {"name": "public"}}
REACHED = {
    "mesh": {"enabled": True},
    "networkPolicies": {"webFrom": [], "loadFrom": [], "metricsFrom": ["monitoring"]},
    "web": {"service": {"type": "LoadBalancer"}, "expose": ROUTED},
}
SIZES = [{}, SCALED, {"web": ON_FEDORA, "database": ON_FEDORA}, {"load": {"enabled": False}}, DEDICATED, REACHED]
TIERS = ["database", "application", "web"]


def machines(deployment: Deployment) -> list[str]:
    return sorted(machine.object_name for machine in deployment.of_kind("VirtualMachine"))


def domain(deployment: Deployment, machine: str) -> dict[str, Any]:
    found: dict[str, Any] = deployment.machine(machine)["template"]["spec"]["domain"]
    return found


def volumes(deployment: Deployment, machine: str) -> dict[str, dict[str, Any]]:
    found = deployment.machine(machine)["template"]["spec"]["volumes"]
    return {volume["name"]: volume for volume in found}


def test_a_machine_is_named_after_its_tier_and_number() -> None:
    assert machines(deploy()) == ["multi-tier-application-0", "multi-tier-database-0", "multi-tier-web-0"]
    assert machines(deploy(SCALED)) == [
        "multi-tier-application-0",
        "multi-tier-application-1",
        "multi-tier-database-0",
        "multi-tier-web-0",
        "multi-tier-web-1",
    ]


def test_every_name_begins_with_the_name_of_the_stack_and_lives_in_its_namespace() -> None:
    deployment = deploy({"name": "shop", "namespace": "retail"})

    for resource in deployment.objects:
        if resource.kind == "Namespace":
            assert resource.object_name == "retail"
        else:
            assert resource.object_name.startswith("shop-"), resource.urn
            assert resource.inputs["metadata"]["namespace"] == "retail", resource.urn


@pytest.mark.parametrize("config", SIZES)
def test_every_object_has_the_recommended_labels(config: dict[str, Any]) -> None:
    for resource in deploy(config).objects:
        all_labels = resource.inputs["metadata"]["labels"]
        labels = {key: text for key, text in all_labels.items() if key.startswith("app.kubernetes.io/")}

        assert labels.pop("app.kubernetes.io/component") in [*TIERS, "load", "namespace", "network"], resource.urn
        assert labels == {
            "app.kubernetes.io/name": "multi-tier",
            "app.kubernetes.io/instance": "multi-tier",
            "app.kubernetes.io/part-of": "multi-tier",
            "app.kubernetes.io/managed-by": "pulumi",
        }, resource.urn


@pytest.mark.parametrize("tier", TIERS)
def test_a_service_selects_the_machines_of_its_tier_alone(tier: str) -> None:
    deployment = deploy(SCALED)
    selector = deployment.object("Service", f"multi-tier-{tier}").inputs["spec"]["selector"].items()

    selected = [
        machine.object_name
        for machine in deployment.of_kind("VirtualMachine")
        if selector <= machine.inputs["spec"]["template"]["metadata"]["labels"].items()
    ]
    assert sorted(selected) == [name for name in machines(deployment) if f"-{tier}-" in name]


@pytest.mark.parametrize(
    ("tier", "port", "port_name", "probe"),
    [
        ("database", DATABASE_PORT, "postgresql", {"tcpSocket": {"port": DATABASE_PORT}}),
        ("application", APPLICATION_PORT, "http", {"httpGet": {"path": "/ready", "port": APPLICATION_PORT}}),
        ("web", WEB_PORT, "http", {"httpGet": {"path": "/ready", "port": WEB_PORT}}),
    ],
)
def test_a_tier_is_ready_and_reached_on_its_own_port(
    tier: str, port: int, port_name: str, probe: dict[str, Any]
) -> None:
    deployment = deploy()
    (service_port,) = deployment.object("Service", f"multi-tier-{tier}").inputs["spec"]["ports"]
    readiness = deployment.machine(f"multi-tier-{tier}-0")["template"]["spec"]["readinessProbe"]

    assert service_port == {"name": port_name, "port": port, "targetPort": port, "protocol": "TCP"}
    assert readiness.items() >= probe.items()
    assert readiness["periodSeconds"] <= 2, "start-up is as quick as the probe is frequent"


@pytest.mark.parametrize(("config", "machine"), [(SCALED, "multi-tier-web-0"), (DEDICATED, "multi-tier-load-0")])
def test_the_figures_of_the_load_are_served_by_the_machine_that_has_them(config: dict[str, Any], machine: str) -> None:
    deployment = deploy(config)

    service = deployment.object("Service", "multi-tier-load").inputs["spec"]
    assert service["selector"] == {"vm.kubevirt.io/name": machine}
    assert service["ports"][0] == {"name": "http", "port": WEB_PORT, "targetPort": LOAD_AGENT_PORT, "protocol": "TCP"}
    assert "load-plan.token" in deployment.user_data(machine)


def test_a_generator_with_its_own_machine_leaves_the_web_machines_alone() -> None:
    deployment = deploy(DEDICATED)

    assert machines(deployment)[-2:] == ["multi-tier-load-0", "multi-tier-web-0"]
    assert "load-plan.token" not in deployment.user_data("multi-tier-web-0")
    readiness = deployment.machine("multi-tier-load-0")["template"]["spec"]["readinessProbe"]
    assert readiness["httpGet"] == {"path": "/ready", "port": LOAD_AGENT_PORT}


@pytest.mark.parametrize(
    ("tier", "port", "node"),
    [
        ("database", DATABASE_METRICS_PORT, True),
        ("application", APPLICATION_METRICS_PORT, True),
        ("web", WEB_METRICS_PORT, True),
        ("load", LOAD_AGENT_PORT, False),
    ],
)
def test_metrics_are_found_by_the_names_of_service_ports(tier: str, port: int, node: bool) -> None:
    deployment = deploy({"metrics": {"enabled": True}})

    ports = {
        one["name"]: one["port"] for one in deployment.object("Service", f"multi-tier-{tier}").inputs["spec"]["ports"]
    }
    assert ports["metrics"] == port
    assert ports.get("node-metrics") == (9100 if node else None), "one Service tells of each machine"


@pytest.mark.parametrize("tier", ["database", "web"])
def test_a_distribution_without_an_exporter_has_no_port_for_it(tier: str) -> None:
    deployment = deploy({tier: ON_FEDORA, "metrics": {"enabled": True}})

    ports = {one["name"] for one in deployment.object("Service", f"multi-tier-{tier}").inputs["spec"]["ports"]}
    assert "metrics" not in ports
    assert "node-metrics" in ports


def test_a_generator_with_its_own_machine_has_a_node_to_scrape() -> None:
    ports = deploy(DEDICATED).object("Service", "multi-tier-load").inputs["spec"]["ports"]

    assert {
        "name": "node-metrics",
        "port": NODE_METRICS_PORT,
        "targetPort": NODE_METRICS_PORT,
        "protocol": "TCP",
    } in ports


@pytest.mark.parametrize("config", SIZES)
def test_every_disk_has_a_volume_and_every_volume_a_disk(config: dict[str, Any]) -> None:
    deployment = deploy(config)
    for name in machines(deployment):
        disks = [disk["name"] for disk in domain(deployment, name)["devices"]["disks"]]

        assert sorted(disks) == sorted(volumes(deployment, name))
        assert disks[0] == "root", "firmware boots the first disk"


@pytest.mark.parametrize("config", SIZES)
def test_nothing_is_left_for_the_webhooks_to_fill_in(config: dict[str, Any]) -> None:
    deployment = deploy(config)
    for name in machines(deployment):
        machine = domain(deployment, name)

        assert machine["machine"] == {"type": "q35"}
        assert set(machine["firmware"]) == {"uuid", "serial"}
        assert deployment.machine(name)["template"]["spec"]["architecture"] == "amd64"
        assert deployment.machine(name)["runStrategy"] == "Always"


def test_the_firmware_of_a_machine_is_its_own_and_the_same_every_time() -> None:
    here, again, elsewhere = deploy(SCALED), deploy({**SCALED, "load": {"rps": 1}}), deploy({"namespace": "other"})
    identities = [domain(here, name)["firmware"]["uuid"] for name in machines(here)]

    assert identities == [domain(again, name)["firmware"]["uuid"] for name in machines(again)]
    identities += [domain(elsewhere, name)["firmware"]["uuid"] for name in machines(elsewhere)]
    assert len(set(identities)) == 8


# These are requests for a thing without further wishes, and the API keeps them.
MEANT_TO_BE_EMPTY = re.compile(r"\.(rng|masquerade|pod|blank)$")


@pytest.mark.parametrize("config", SIZES)
def test_no_map_or_list_is_empty_because_the_next_preview_would_show_a_change(config: dict[str, Any]) -> None:
    def empty(value: Any, path: str) -> list[str]:
        if isinstance(value, dict | list) and not value:
            return [] if MEANT_TO_BE_EMPTY.search(path) else [path]
        items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        return [found for key, item in items for found in empty(item, f"{path}.{key}")]

    for resource in deploy(config).objects:
        assert not empty(resource.inputs, resource.name)


def test_a_machine_has_the_size_that_the_settings_say() -> None:
    deployment = deploy({"web": {"vcpus": 3, "memory": "3Gi"}})

    assert domain(deployment, "multi-tier-web-0")["cpu"] == {"sockets": 3, "cores": 1, "threads": 1}
    assert domain(deployment, "multi-tier-web-0")["memory"] == {"guest": "3Gi"}


def test_an_instancetype_sizes_the_machine_in_place_of_vcpus_and_memory() -> None:
    deployment = deploy({"web": ON_FEDORA})
    spec = deployment.machine("multi-tier-web-0")

    assert spec["instancetype"] == {"kind": "VirtualMachineClusterInstancetype", "name": "u1.small"}
    assert spec["preference"] == {"kind": "VirtualMachineClusterPreference", "name": "fedora"}
    assert not {"cpu", "memory"} & set(domain(deployment, "multi-tier-web-0"))
    assert "instancetype" not in deployment.machine("multi-tier-database-0")


def test_a_container_disk_is_the_root_disk_as_it_is() -> None:
    deployment = deploy({"web": {"image": {"containerDisk": "registry.example/golden:1"}}})

    assert volumes(deployment, "multi-tier-web-0")["root"]["containerDisk"] == {"image": "registry.example/golden:1"}
    assert "dataVolumeTemplates" not in deployment.machine("multi-tier-web-0")


def test_a_golden_image_is_cloned_to_a_disk_that_goes_with_the_machine() -> None:
    deployment = deploy({"web": {**ON_FEDORA, "replicas": 2, "image": {**GOLDEN, "storageClass": "fast"}}})

    for name in ("multi-tier-web-0", "multi-tier-web-1"):
        (template,) = deployment.machine(name)["dataVolumeTemplates"]
        assert template["metadata"]["name"] == f"{name}-root"
        assert template["spec"]["sourceRef"] == {"kind": "DataSource", **GOLDEN["dataSource"]}  # type: ignore[dict-item]
        assert template["spec"]["storage"] == {
            "resources": {"requests": {"storage": "40Gi"}},
            "storageClassName": "fast",
        }
        assert volumes(deployment, name)["root"]["dataVolume"] == {"name": f"{name}-root"}


def test_the_database_keeps_its_data_on_a_disk_that_is_not_the_machines_own() -> None:
    deployment = deploy({"database": {"dataDisk": {"size": "5Gi", "storageClass": "fast"}}})
    disk = deployment.object("DataVolume", "multi-tier-database-0-data")
    machine = deployment.object("VirtualMachine", "multi-tier-database-0")

    assert disk.inputs["spec"] == {
        "source": {"blank": {}},
        "storage": {"resources": {"requests": {"storage": "5Gi"}}, "storageClassName": "fast"},
    }
    assert disk.parent == machine.parent, "a disk below the machine would be replaced with it"
    assert "pulumi.com/waitFor" not in disk.inputs["metadata"].get("annotations", {}), (
        "storage that waits for its first consumer would never be ready"
    )
    assert volumes(deployment, "multi-tier-database-0")["data"]["dataVolume"] == {"name": disk.object_name}


def test_the_guest_looks_for_the_data_disk_by_the_serial_that_the_machine_gives_it() -> None:
    deployment = deploy()
    (serial,) = (
        disk["serial"] for disk in domain(deployment, "multi-tier-database-0")["devices"]["disks"] if "serial" in disk
    )

    assert f"/dev/disk/by-id/virtio-{serial}" in deployment.user_data("multi-tier-database-0")


@pytest.mark.parametrize("config", SIZES)
def test_user_data_is_a_cloud_config_in_a_secret_of_the_machine(config: dict[str, Any]) -> None:
    deployment = deploy(config)
    for name in machines(deployment):
        reference = volumes(deployment, name)["cloudinit"]["cloudInitNoCloud"]

        assert reference == {"secretRef": {"name": f"{name}-cloud-init"}}
        assert deployment.user_data(name).startswith("#cloud-config\n")
        assert parse(deployment.user_data(name))


def test_a_tier_is_told_where_the_next_one_is_by_full_name() -> None:
    deployment = deploy({"name": "shop", "namespace": "retail"})

    assert "shop-database.retail.svc.cluster.local" in deployment.user_data("shop-application-0")
    assert "shop-application.retail.svc.cluster.local" in deployment.user_data("shop-web-0")
    assert "http://shop-web.retail.svc.cluster.local" in deployment.user_data("shop-web-0")


def test_the_database_and_the_application_share_one_password() -> None:
    deployment = deploy()

    assert PASSWORD in deployment.user_data("multi-tier-database-0")
    assert PASSWORD in deployment.user_data("multi-tier-application-0")
    assert deployment.object("Secret", "multi-tier-credentials").inputs["stringData"] == {
        "username": DATABASE_USER,
        "password": PASSWORD,
        "database": DATABASE_NAME,
    }


def test_a_namespace_that_is_not_ours_is_not_made() -> None:
    assert [resource.object_name for resource in deploy().of_kind("Namespace")] == ["multi-tier"]
    assert not deploy({"createNamespace": "false", "namespace": "default"}).of_kind("Namespace")


def test_the_outputs_tell_a_person_where_to_look() -> None:
    outputs = deploy({"name": "shop", "namespace": "retail", **SCALED}).outputs

    assert outputs == {
        "url": "http://shop-web.retail.svc.cluster.local/",
        "virtualMachines": {
            "database": ["shop-database-0"],
            "application": ["shop-application-0", "shop-application-1"],
            "web": ["shop-web-0", "shop-web-1"],
        },
        "dataDisk": "DataVolume shop-database-0-data: pulumi destroy deletes it",
        "watch": "kubectl get vm,vmi -n retail -l app.kubernetes.io/instance=shop -w",
        "request": "kubectl get --raw /api/v1/namespaces/retail/services/shop-web:http/proxy/api/v1/accounts/1",
        "measure": "python -m measure run --namespace retail --name shop",
        "loadStatus": "kubectl get --raw /api/v1/namespaces/retail/services/shop-load:http/proxy/status",
    }
