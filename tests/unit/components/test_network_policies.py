"""Who can connect to the machines: each pair of tiers, and clients outside the stack."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest

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
from tests.unit.components.mocks import DEDICATED, METRICS, SCALED, Deployment, deploy
from tests.unit.policy_evaluation import Labels, Peer, lets_in

NAMESPACE = "multi-tier"
PORTS = {"database": DATABASE_PORT, "application": APPLICATION_PORT, "web": WEB_PORT, "load": LOAD_AGENT_PORT}
# Exporters of each tier.
EXPORTERS = {
    "database": (DATABASE_METRICS_PORT, NODE_METRICS_PORT),
    "application": (APPLICATION_METRICS_PORT, NODE_METRICS_PORT),
    "web": (WEB_METRICS_PORT, NODE_METRICS_PORT),
    "load": (LOAD_AGENT_PORT, NODE_METRICS_PORT),
}
EVERY_PORT = sorted({22, 443, 15020, 15090, *PORTS.values(), *(port for ports in EXPORTERS.values() for port in ports)})

NEIGHBOUR = Peer({"app": "shell"}, NAMESPACE)
STRANGER = Peer({"app": "shell"}, "default")
PROMETHEUS = Peer({"app.kubernetes.io/name": "prometheus"}, "monitoring")
NODE = Peer(address="172.18.0.2")
OUTSIDE = Peer(address="203.0.113.7")
VIRT_API = Peer({"kubevirt.io": "virt-api"}, "openshift-cnv")
OTHERS = {"neighbour": NEIGHBOUR, "stranger": STRANGER, "prometheus": PROMETHEUS, "node": NODE, "outside": OUTSIDE}
# An unrelated workload that happens to have the instance and component of our stack.
NAMESAKE = Peer({"app.kubernetes.io/instance": "multi-tier", "app.kubernetes.io/component": "database"}, NAMESPACE)


def policies(deployment: Deployment) -> list[dict[str, Any]]:
    return [policy.inputs for policy in deployment.of_kind("NetworkPolicy")]


def pods(deployment: Deployment) -> dict[str, Peer]:
    """Return the launcher Pods by machine. KubeVirt labels them like the template, and with the machine's name."""
    found = {}
    for machine in deployment.of_kind("VirtualMachine"):
        labels: Labels = machine.inputs["spec"]["template"]["metadata"]["labels"]
        named = {**labels, "vm.kubevirt.io/name": machine.object_name}
        found[machine.object_name] = Peer(named, machine.inputs["metadata"]["namespace"])
    return found


def pod(deployment: Deployment, tier: str, number: int = 0) -> Peer:
    return pods(deployment)[f"multi-tier-{tier}-{number}"]


def open_ports(deployment: Deployment, source: Peer, target: Peer) -> set[int]:
    given = policies(deployment)
    return {port for port in EVERY_PORT if lets_in(given, source, target, port)}


def test_only_the_tier_in_front_can_connect_to_a_tier_and_only_to_its_port() -> None:
    deployment = deploy(DEDICATED)
    expected = {("application", "database"): {DATABASE_PORT}, ("web", "application"): {APPLICATION_PORT}}
    for client, server in product(PORTS, PORTS):
        known = set(expected.get((client, server), set()))
        # Open to everyone by default.
        known |= {PORTS[server]} if server in ("web", "load") else set()
        assert open_ports(deployment, pod(deployment, client), pod(deployment, server)) == known, (client, server)


@pytest.mark.parametrize("other", OTHERS)
def test_clients_outside_the_stack_reach_only_the_web_tier_and_the_load_agent(other: str) -> None:
    deployment = deploy(DEDICATED)

    reached = {tier: open_ports(deployment, OTHERS[other], pod(deployment, tier)) for tier in PORTS}
    assert reached == {"database": set(), "application": set(), "web": {WEB_PORT}, "load": {LOAD_AGENT_PORT}}


def test_the_load_agent_is_open_only_on_the_machine_that_runs_it() -> None:
    deployment = deploy(SCALED)

    assert open_ports(deployment, NODE, pod(deployment, "web", 0)) == {WEB_PORT, LOAD_AGENT_PORT}
    assert open_ports(deployment, NODE, pod(deployment, "web", 1)) == {WEB_PORT}


def test_without_load_the_port_of_the_load_agent_is_closed() -> None:
    deployment = deploy({"load": {"enabled": False}})

    assert open_ports(deployment, NODE, pod(deployment, "web")) == {WEB_PORT}
    assert not any(policy["metadata"]["name"] == "multi-tier-load" for policy in policies(deployment))


@pytest.mark.parametrize("tier", PORTS)
def test_metrics_can_be_scraped_from_every_namespace_by_default(tier: str) -> None:
    deployment = deploy({**DEDICATED, **METRICS, "networkPolicies": {"loadFrom": []}})
    served = {WEB_PORT} if tier == "web" else set()

    for scraper in (PROMETHEUS, STRANGER, NEIGHBOUR):
        assert open_ports(deployment, scraper, pod(deployment, tier)) == {*served, *EXPORTERS[tier]}
    for nobody in (NODE, OUTSIDE):
        assert open_ports(deployment, nobody, pod(deployment, tier)) == served


def test_scraping_metrics_can_be_restricted_to_namespaces_and_ranges() -> None:
    chosen = {"metricsFrom": ["monitoring", "172.18.0.0/16"]}
    deployment = deploy({**METRICS, "networkPolicies": chosen})
    database = pod(deployment, "database")

    assert open_ports(deployment, PROMETHEUS, database) == {DATABASE_METRICS_PORT, NODE_METRICS_PORT}
    assert open_ports(deployment, NODE, database) == {DATABASE_METRICS_PORT, NODE_METRICS_PORT}
    assert open_ports(deployment, STRANGER, database) == set()


@pytest.mark.parametrize("load", [{}, DEDICATED], ids=["on web", "dedicated"])
def test_the_web_tier_can_be_restricted_to_the_load_generator_and_chosen_clients(load: dict[str, Any]) -> None:
    deployment = deploy({**load, "networkPolicies": {"webFrom": ["ingress-nginx", "203.0.113.0/24"]}})
    web = pod(deployment, "web")
    generator = pod(deployment, "load" if load else "web")

    assert WEB_PORT in open_ports(deployment, generator, web)
    assert WEB_PORT in open_ports(deployment, Peer({"app": "controller"}, "ingress-nginx"), web)
    assert WEB_PORT in open_ports(deployment, OUTSIDE, web)
    for other in (NEIGHBOUR, STRANGER, NODE, pod(deployment, "application"), pod(deployment, "database")):
        assert WEB_PORT not in open_ports(deployment, other, web)


def test_a_namespace_with_the_name_of_a_tier_is_a_namespace() -> None:
    deployment = deploy({"networkPolicies": {"webFrom": ["application"]}})
    web = pod(deployment, "web")

    assert WEB_PORT in open_ports(deployment, Peer({"app": "shell"}, "application"), web)
    assert WEB_PORT not in open_ports(deployment, pod(deployment, "application"), web)


def test_an_empty_list_allows_only_the_stack_itself() -> None:
    chosen: dict[str, list[str]] = {"webFrom": [], "loadFrom": [], "metricsFrom": []}
    deployment = deploy({**DEDICATED, **METRICS, "networkPolicies": chosen})

    for other, tier in product(OTHERS.values(), PORTS):
        assert not open_ports(deployment, other, pod(deployment, tier))
    assert open_ports(deployment, pod(deployment, "load"), pod(deployment, "web")) == {WEB_PORT}


def test_without_load_an_empty_list_closes_the_web_tier() -> None:
    deployment = deploy({"load": {"enabled": False}, "networkPolicies": {"webFrom": []}})

    assert not open_ports(deployment, NODE, pod(deployment, "web"))


def test_the_load_agent_can_be_restricted_to_the_api_server() -> None:
    deployment = deploy({**DEDICATED, "networkPolicies": {"loadFrom": ["kube-system", "172.18.0.2/32"]}})
    load = pod(deployment, "load")

    assert open_ports(deployment, NODE, load) == {LOAD_AGENT_PORT}
    assert open_ports(deployment, Peer({"k8s-app": "konnectivity-agent"}, "kube-system"), load) == {LOAD_AGENT_PORT}
    assert not open_ports(deployment, STRANGER, load)


@pytest.mark.parametrize("tier", PORTS)
def test_ssh_is_allowed_from_virt_api_only(tier: str) -> None:
    deployment = deploy(DEDICATED)

    assert 22 in open_ports(deployment, VIRT_API, pod(deployment, tier))
    for impostor in (Peer({"kubevirt.io": "virt-api"}, "default"), Peer({"app": "shell"}, "kubevirt"), NODE):
        assert 22 not in open_ports(deployment, impostor, pod(deployment, tier))


def test_other_pods_in_a_shared_namespace_are_not_affected() -> None:
    deployment = deploy({"createNamespace": "false"})
    other = deploy({"name": "shop", "createNamespace": "false"})

    assert open_ports(deployment, OUTSIDE, NEIGHBOUR) == set(EVERY_PORT)
    assert open_ports(deployment, OUTSIDE, NAMESAKE) == set(EVERY_PORT)
    assert open_ports(deployment, OUTSIDE, pods(other)["shop-database-0"]) == set(EVERY_PORT)


def test_another_stack_in_the_namespace_has_no_more_access_than_a_stranger() -> None:
    deployment, other = deploy(), deploy({"name": "shop"})

    assert not open_ports(deployment, pods(other)["shop-application-0"], pod(deployment, "database"))
    assert not open_ports(deployment, NAMESAKE, pod(deployment, "database"))


def test_policies_exist_before_the_first_machine_and_until_after_the_last() -> None:
    deployment = deploy()

    made = {policy.urn for policy in deployment.of_kind("NetworkPolicy")}
    assert len(made) == 5
    for component in ("database", "application", "web"):
        assert deployment.component(component).depends_on >= made
    assert deployment.component("network-policies").depends_on >= {deployment.object("Namespace", NAMESPACE).urn}


def test_policies_can_be_disabled() -> None:
    deployment = deploy({"networkPolicies": {"enabled": False}})

    assert not deployment.of_kind("NetworkPolicy")
    assert open_ports(deployment, OUTSIDE, pod(deployment, "database")) == set(EVERY_PORT)
