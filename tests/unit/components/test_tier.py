"""A tier: machines with their user data, behind one Service."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from cloudinit.constants import (
    APPLICATION_METRICS_PORT,
    APPLICATION_PORT,
    DATABASE_METRICS_PORT,
    DATABASE_PORT,
    LOAD_AGENT_PORT,
    NODE_METRICS_PORT,
    WEB_METRICS_PORT,
    WEB_PORT,
)
from tests.unit.cloudinit.guest_examples import parse
from tests.unit.components.mocks import DEDICATED, METRICS, SCALED, Deployment, deploy


def ports(deployment: Deployment, tier: str) -> dict[str, int]:
    """Return the ports of a tier's Service, by name."""
    return {one["name"]: one["port"] for one in deployment.spec("Service", f"multi-tier-{tier}")["ports"]}


@pytest.mark.parametrize("tier", ["database", "application", "web"])
def test_a_service_selects_only_the_machines_of_its_tier(tier: str) -> None:
    deployment = deploy(SCALED)
    selector = deployment.spec("Service", f"multi-tier-{tier}")["selector"].items()

    selected = [
        name
        for name in deployment.machines
        if selector <= deployment.machine(name)["template"]["metadata"]["labels"].items()
    ]
    assert selected == [name for name in deployment.machines if f"-{tier}-" in name]


@pytest.mark.parametrize(
    ("tier", "port", "port_name", "probe"),
    [
        ("database", DATABASE_PORT, "postgresql", {"tcpSocket": {"port": DATABASE_PORT}}),
        ("application", APPLICATION_PORT, "http", {"httpGet": {"path": "/ready", "port": APPLICATION_PORT}}),
        ("web", WEB_PORT, "http", {"httpGet": {"path": "/ready", "port": WEB_PORT}}),
    ],
)
def test_a_tier_is_probed_and_served_on_its_port(tier: str, port: int, port_name: str, probe: dict[str, Any]) -> None:
    deployment = deploy()
    (service_port,) = deployment.spec("Service", f"multi-tier-{tier}")["ports"]
    readiness = deployment.instance(f"multi-tier-{tier}-0")["readinessProbe"]

    assert service_port == {"name": port_name, "port": port, "targetPort": port, "protocol": "TCP"}
    assert readiness.items() >= probe.items()
    assert readiness["periodSeconds"] <= 2, "the tier in front starts no sooner than this probe succeeds"


@pytest.mark.parametrize(
    ("tier", "port", "node"),
    [
        ("database", DATABASE_METRICS_PORT, NODE_METRICS_PORT),
        ("application", APPLICATION_METRICS_PORT, NODE_METRICS_PORT),
        ("web", WEB_METRICS_PORT, NODE_METRICS_PORT),
        ("load", LOAD_AGENT_PORT, None),
    ],
)
def test_metrics_ports_are_found_by_name(tier: str, port: int, node: int | None) -> None:
    found = ports(deploy(METRICS), tier)

    assert found["metrics"] == port
    assert found.get("node-metrics") == node, "each machine is scraped through one Service"


def test_machines_have_an_ipv6_address_if_their_services_do() -> None:
    deployment = deploy({"ipFamilyPolicy": "PreferDualStack", **DEDICATED})

    assert {one.inputs["spec"]["ipFamilyPolicy"] for one in deployment.of_kind("Service")} == {"PreferDualStack"}
    for name in deployment.machines:
        seed = deployment.volumes(name)["cloudinit"]["cloudInitNoCloud"]
        assert seed["networkDataSecretRef"] == seed["secretRef"]
        secret = deployment.object("Secret", seed["secretRef"]["name"])
        network = yaml.safe_load(secret.inputs["stringData"]["networkdata"])
        (interface,) = network["ethernets"].values()
        assert (interface["dhcp4"], interface["addresses"]) == (True, ["fd10:0:2::2/120"])

    assert {one.inputs["spec"]["ipFamilyPolicy"] for one in deploy(DEDICATED).of_kind("Service")} == {"SingleStack"}


@pytest.mark.parametrize("tier", ["database", "web"])
def test_a_distribution_without_the_exporter_has_no_port_for_it(tier: str) -> None:
    found = ports(deploy({tier: {"family": "fedora"}, **METRICS}), tier)

    assert "metrics" not in found
    assert "node-metrics" in found


@pytest.mark.parametrize("config", [SCALED, DEDICATED, {"load": {"enabled": False}}])
def test_user_data_is_a_cloud_config_archive_in_a_secret(config: dict[str, Any]) -> None:
    deployment = deploy(config)
    for name in deployment.machines:
        assert deployment.user_data(name).startswith("#cloud-config-archive\n")
        assert parse(deployment.user_data(name))


def test_machines_with_the_same_user_data_share_its_secret() -> None:
    deployment = deploy({"application": {"replicas": 3}, "web": {"replicas": 3}})
    made = [one.object_name for one in deployment.of_kind("Secret") if one.object_name.endswith("-cloud-init")]
    used = [secret_of(deployment, name) for name in deployment.machines]

    assert sorted(made) == sorted(set(used))
    assert used == [
        *["multi-tier-application-cloud-init"] * 3,
        "multi-tier-database-cloud-init",
        "multi-tier-web-0-cloud-init",  # with the load generator
        *["multi-tier-web-cloud-init"] * 2,
    ]


def secret_of(deployment: Deployment, machine: str) -> str:
    return str(deployment.volumes(machine)["cloudinit"]["cloudInitNoCloud"]["secretRef"]["name"])


def test_a_tier_reaches_the_one_behind_it_by_its_fully_qualified_name() -> None:
    deployment = deploy({"name": "shop", "namespace": "retail"})

    assert "shop-database.retail.svc.cluster.local" in deployment.user_data("shop-application-0")
    assert "shop-application.retail.svc.cluster.local" in deployment.user_data("shop-web-0")
    assert "http://shop-web.retail.svc.cluster.local" in deployment.user_data("shop-web-0")


def test_every_name_is_below_the_clusters_domain() -> None:
    deployment = deploy({"name": "shop", "namespace": "retail", "clusterDomain": "k8s.example"})

    for machine in deployment.machines:
        user_data = deployment.user_data(machine)
        assert "CLUSTER_DOMAIN=k8s.example\n" in user_data
        assert "cluster.local" not in user_data
    assert "shop-database.retail.svc.k8s.example" in deployment.user_data("shop-application-0")
    assert "https://kubernetes.default.svc.k8s.example/" in deployment.user_data("shop-web-0")
