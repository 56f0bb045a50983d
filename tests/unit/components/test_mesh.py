"""What makes the machines part of a service mesh."""

from __future__ import annotations

from typing import Any

import pytest

from cloudinit.constants import APPLICATION_PORT, NODE_METRICS_PORT
from components.mesh import REFUSED_PORTS
from components.tier import Endpoint
from tests.unit.components.mocks import DEDICATED, METRICS, Deployment, deploy
from tests.unit.components.test_network_policies import NODE, PROMETHEUS, open_ports, pod, pods

MESH: dict[str, Any] = {"mesh": {"enabled": True}}
EVERYTHING: dict[str, Any] = {**DEDICATED, **METRICS}


def template(deployment: Deployment, machine: str) -> dict[str, Any]:
    found: dict[str, Any] = deployment.machine(machine)["template"]["metadata"]
    return found


def ports(deployment: Deployment) -> list[dict[str, Any]]:
    return [port for one in deployment.of_kind("Service") for port in one.inputs["spec"]["ports"]]


def test_every_machine_requests_a_sidecar_by_label_and_annotation() -> None:
    deployment = deploy({**MESH, **EVERYTHING})

    for name in pods(deployment):
        metadata = template(deployment, name)
        assert metadata["labels"]["sidecar.istio.io/inject"] == "true", "Istio checks the label of the Pod"
        assert metadata["annotations"]["sidecar.istio.io/inject"] == "true", "KubeVirt checks the annotation"
        assert metadata["annotations"]["sidecar.istio.io/rewriteAppHTTPProbers"] == "true"
        machine = deployment.object("VirtualMachine", name).inputs["metadata"]
        assert not any("istio" in key for key in (*machine["labels"], *machine["annotations"]))


def test_istio_injects_sidecars_in_the_namespace() -> None:
    (namespace,) = deploy(MESH).of_kind("Namespace")

    assert namespace.inputs["metadata"]["labels"]["istio-injection"] == "enabled"


def test_a_revision_is_requested_for_the_namespace_and_each_pod() -> None:
    deployment = deploy({"mesh": {"enabled": True, "revision": "canary"}})
    labels = deployment.of_kind("Namespace")[0].inputs["metadata"]["labels"]

    assert labels["istio.io/rev"] == "canary"
    assert "istio-injection" not in labels, "Istio would ignore the revision"
    assert template(deployment, "multi-tier-web-0")["labels"]["istio.io/rev"] == "canary"


def test_machines_have_the_binding_that_works_with_a_sidecar() -> None:
    deployment = deploy(MESH)

    for name in pods(deployment):
        (interface,) = deployment.instance(name)["domain"]["devices"]["interfaces"]
        assert interface["masquerade"] == {}
        assert "ports" not in interface, "a list could include a reserved one"


@pytest.mark.parametrize("config", [{}, EVERYTHING, {"application": {"replicas": 2}}])
def test_every_port_of_a_service_has_a_name_and_its_protocol(config: dict[str, Any]) -> None:
    for port in ports(deploy({**MESH, **config})):
        assert port["name"]
        assert port["appProtocol"] == ("tcp" if port["name"] == "postgresql" else "http")


@pytest.mark.parametrize("config", [{}, EVERYTHING, METRICS, MESH])
def test_no_guest_listens_on_a_port_of_the_sidecar(config: dict[str, Any]) -> None:
    deployment = deploy(config)
    probed = []
    for name in pods(deployment):
        probe = deployment.instance(name)["readinessProbe"]
        probed.append(next(handler["port"] for handler in probe.values() if isinstance(handler, dict)))

    assert not REFUSED_PORTS & {*probed, *(port["targetPort"] for port in ports(deployment))}


@pytest.mark.parametrize("port", sorted(REFUSED_PORTS))
def test_a_reserved_port_is_refused(port: int) -> None:
    for wrong in ((port, NODE_METRICS_PORT), (APPLICATION_PORT, port)):
        with pytest.raises(ValueError, match=f"can't use port {port}"):
            Endpoint(wrong[0], "http", {}, wrong[1])


def test_nginx_asks_for_the_application_by_the_name_of_its_service() -> None:
    user_data = deploy({"name": "shop", "namespace": "retail"}).user_data("shop-web-0")

    # A sidecar finds the route of an HTTP request by this header. One that it doesn't know passes by all of its rules.
    assert "proxy_set_header Host shop-application.retail.svc.cluster.local:8080;" in user_data


def test_without_a_mesh_no_object_mentions_istio() -> None:
    deployment = deploy(EVERYTHING)

    assert "istio" not in str([resource.inputs for resource in deployment.objects])
    assert "annotations" not in template(deployment, "multi-tier-web-0")
    assert not any("appProtocol" in port for port in ports(deployment)), "Services of existing stacks must not change"


def test_the_metrics_of_sidecars_can_be_scraped() -> None:
    deployment = deploy(MESH)
    given = [policy.inputs for policy in deployment.of_kind("NetworkPolicy")]
    chosen = deploy({**MESH, "networkPolicies": {"metricsFrom": ["monitoring"]}})

    assert given
    for tried in (deployment, chosen):
        database = pod(tried, "database")
        assert open_ports(tried, PROMETHEUS, database) == {15020, 15090}
        assert not open_ports(tried, NODE, database)
