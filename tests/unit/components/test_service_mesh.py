"""What a stack declares in a service mesh: an identity per tier, and what each may do."""

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
from tests.unit.authorization_evaluation import Caller, is_allowed
from tests.unit.components.mocks import DEDICATED, METRICS, SCALED, Deployment, deploy
from tests.unit.components.test_network_policies import EVERY_PORT, PORTS, pod

MESH: dict[str, Any] = {"mesh": {"enabled": True}}
AUTHORIZED: dict[str, Any] = {"mesh": {"enabled": True, "authorization": True}}
STRICT: dict[str, Any] = {"mesh": {"enabled": True, "mutualTls": "STRICT"}}
PLAIN = Caller()
"""A client without a certificate of the mesh."""


def tier(name: str) -> Caller:
    return Caller(account=f"multi-tier-{name}")


def allowed_ports(deployment: Deployment, caller: Caller, target: str) -> set[int]:
    given = [one.inputs for one in deployment.of_kind("AuthorizationPolicy")]
    labels = pod(deployment, target).pod
    assert labels
    return {port for port in EVERY_PORT if is_allowed(given, caller, labels, port)}


@pytest.mark.parametrize("config", [SCALED, DEDICATED])
def test_the_machines_of_each_tier_have_an_account_of_their_own(config: dict[str, Any]) -> None:
    deployment = deploy({**MESH, **config})

    for machine in deployment.of_kind("VirtualMachine"):
        account = deployment.volumes(machine.object_name)["identity"]["serviceAccount"]["serviceAccountName"]
        component = machine.inputs["metadata"]["labels"]["app.kubernetes.io/component"]
        assert account == f"multi-tier-{component}"
        assert deployment.object("ServiceAccount", account)


def test_an_account_exists_before_its_machines() -> None:
    deployment = deploy({**MESH, **SCALED})

    for machine in deployment.of_kind("VirtualMachine"):
        component = machine.inputs["metadata"]["labels"]["app.kubernetes.io/component"]
        account = deployment.object("ServiceAccount", f"multi-tier-{component}")
        assert account.inputs["automountServiceAccountToken"] is False
        assert machine.depends_on >= {account.urn}


def test_without_a_mesh_no_machine_runs_as_an_account() -> None:
    deployment = deploy({**DEDICATED, **METRICS})

    assert not any("identity" in deployment.volumes(name) for name in deployment.machines)


def test_a_tier_is_authorized_to_call_only_the_tier_behind_it() -> None:
    deployment = deploy({**AUTHORIZED, **DEDICATED, "networkPolicies": {"webFrom": [], "loadFrom": []}})
    expected = {
        ("application", "database"): {DATABASE_PORT},
        ("web", "application"): {APPLICATION_PORT},
        ("load", "web"): {WEB_PORT},
    }
    for client, server in product(PORTS, PORTS):
        assert allowed_ports(deployment, tier(client), server) == expected.get((client, server), set())


@pytest.mark.parametrize("caller", [PLAIN, Caller(account="multi-tier-web", namespace="default"), tier("shell")])
def test_other_callers_are_authorized_for_the_web_tier_and_the_load_agent_only(caller: Caller) -> None:
    deployment = deploy({**AUTHORIZED, **DEDICATED})

    reached = {server: allowed_ports(deployment, caller, server) for server in PORTS}
    assert reached == {"database": set(), "application": set(), "web": {WEB_PORT}, "load": {LOAD_AGENT_PORT}}


def test_the_load_on_a_web_machine_may_call_the_web_tier() -> None:
    deployment = deploy({**AUTHORIZED, "networkPolicies": {"webFrom": []}})

    assert allowed_ports(deployment, tier("web"), "web") == {WEB_PORT, LOAD_AGENT_PORT}
    assert allowed_ports(deployment, PLAIN, "web") == {LOAD_AGENT_PORT}


def test_the_clients_of_the_network_policies_are_authorized_too() -> None:
    chosen = {"webFrom": ["ingress", "10.0.0.0/8"], "metricsFrom": ["monitoring"]}
    deployment = deploy({**AUTHORIZED, **METRICS, "networkPolicies": chosen})

    assert WEB_PORT in allowed_ports(deployment, Caller(account="gateway", namespace="ingress"), "web")
    assert WEB_PORT in allowed_ports(deployment, Caller(address="10.1.2.3"), "web")
    assert WEB_PORT not in allowed_ports(deployment, Caller(account="gateway", namespace="other"), "web")
    prometheus = Caller(account="prometheus", namespace="monitoring")
    assert allowed_ports(deployment, prometheus, "database") == {DATABASE_METRICS_PORT, NODE_METRICS_PORT}
    assert allowed_ports(deployment, PLAIN, "database") == set()


def test_a_scraper_without_a_certificate_reads_metrics_by_default() -> None:
    deployment = deploy({**AUTHORIZED, **METRICS})

    assert allowed_ports(deployment, PLAIN, "application") == {APPLICATION_METRICS_PORT, NODE_METRICS_PORT}


def test_without_authorization_no_call_is_denied() -> None:
    deployment = deploy(MESH)

    assert not deployment.of_kind("AuthorizationPolicy")
    assert not deployment.of_kind("PeerAuthentication")
    assert allowed_ports(deployment, PLAIN, "database") == set(EVERY_PORT)


@pytest.mark.parametrize("config", [SCALED, {**DEDICATED, **METRICS}])
def test_every_machine_has_one_mode_of_mutual_tls(config: dict[str, Any]) -> None:
    """Of several policies for one workload, Istio takes the oldest."""
    deployment = deploy({**STRICT, **config})
    given = [one.inputs["spec"] for one in deployment.of_kind("PeerAuthentication")]

    for machine in deployment.of_kind("VirtualMachine"):
        labels = machine.inputs["spec"]["template"]["metadata"]["labels"]
        (found,) = (spec for spec in given if spec["selector"]["matchLabels"].items() <= labels.items())
        assert found["mtls"] == {"mode": "STRICT"}


@pytest.mark.parametrize(
    ("config", "component", "ports"),
    [
        ({}, "database", []),
        ({}, "web", [LOAD_AGENT_PORT]),
        ({"load": {"enabled": False}}, "web", []),
        (METRICS, "database", [NODE_METRICS_PORT, DATABASE_METRICS_PORT]),
        ({**DEDICATED, **METRICS}, "web", [NODE_METRICS_PORT, WEB_METRICS_PORT]),
        (DEDICATED, "load", [LOAD_AGENT_PORT]),
    ],
)
def test_only_the_ports_that_the_cluster_reads_accept_plain_connections(
    config: dict[str, Any], component: str, ports: list[int]
) -> None:
    specification = deploy({**STRICT, **config}).spec("PeerAuthentication", f"multi-tier-{component}")

    modes = specification.get("portLevelMtls", {})
    assert modes == {str(port): {"mode": "PERMISSIVE"} for port in ports}


def test_a_mesh_can_accept_plain_connections_everywhere() -> None:
    deployment = deploy({"mesh": {"enabled": True, "mutualTls": "PERMISSIVE"}})

    modes = {one.inputs["spec"]["mtls"]["mode"] for one in deployment.of_kind("PeerAuthentication")}
    assert modes == {"PERMISSIVE"}
