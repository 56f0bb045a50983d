"""What makes the machines part of a service mesh."""

from __future__ import annotations

from typing import Any

import pytest

from cloudinit.constants import APPLICATION_PORT, NODE_METRICS_PORT
from components.mesh import REFUSED_PORTS
from components.tier import Endpoint
from tests.unit.components.mocks import Deployment, deploy
from tests.unit.components.test_network_policies import NODE, PROMETHEUS, open_ports, pod, pods

MESH: dict[str, Any] = {"mesh": {"enabled": True}}
EVERYTHING: dict[str, Any] = {"load": {"dedicated": True}, "metrics": {"enabled": True}}


def template(deployment: Deployment, machine: str) -> dict[str, Any]:
    found: dict[str, Any] = deployment.machine(machine)["template"]["metadata"]
    return found


def ports(deployment: Deployment) -> list[dict[str, Any]]:
    return [port for one in deployment.of_kind("Service") for port in one.inputs["spec"]["ports"]]


def test_every_machine_asks_for_a_sidecar_by_label_and_annotation() -> None:
    deployment = deploy({**MESH, **EVERYTHING})

    for name in pods(deployment):
        metadata = template(deployment, name)
        assert metadata["labels"]["sidecar.istio.io/inject"] == "true", "Istio looks at the Pod's label"
        assert metadata["annotations"]["sidecar.istio.io/inject"] == "true", "KubeVirt looks at the annotation"
        assert metadata["annotations"]["sidecar.istio.io/rewriteAppHTTPProbers"] == "true"
        machine = deployment.object("VirtualMachine", name).inputs["metadata"]
        assert not any("istio" in key for key in (*machine["labels"], *machine["annotations"]))


def test_the_namespace_of_the_stack_is_one_in_which_istio_injects() -> None:
    (namespace,) = deploy(MESH).of_kind("Namespace")

    assert namespace.inputs["metadata"]["labels"]["istio-injection"] == "enabled"


def test_a_revision_is_asked_for_in_the_namespace_and_in_each_pod() -> None:
    deployment = deploy({"mesh": {"enabled": True, "revision": "canary"}})
    labels = deployment.of_kind("Namespace")[0].inputs["metadata"]["labels"]

    assert labels["istio.io/rev"] == "canary"
    assert "istio-injection" not in labels, "Istio would take this one and not the revision"
    assert template(deployment, "multi-tier-web-0")["labels"]["istio.io/rev"] == "canary"


def test_machines_have_the_binding_that_kubevirt_leads_through_a_sidecar() -> None:
    deployment = deploy(MESH)

    for name in pods(deployment):
        (interface,) = deployment.machine(name)["template"]["spec"]["domain"]["devices"]["interfaces"]
        assert interface == {"name": "default", "masquerade": {}}, "a list of ports could have a refused one in it"


@pytest.mark.parametrize("config", [{}, EVERYTHING, {"application": {"replicas": 2}}])
def test_every_port_of_a_service_has_a_name_and_its_protocol(config: dict[str, Any]) -> None:
    for port in ports(deploy({**MESH, **config})):
        assert port["name"]
        assert port["appProtocol"] == ("tcp" if port["name"] == "postgresql" else "http")


@pytest.mark.parametrize("config", [{}, EVERYTHING, {"metrics": {"enabled": True}}, MESH])
def test_no_guest_listens_where_a_sidecar_does(config: dict[str, Any]) -> None:
    deployment = deploy(config)
    probed = []
    for name in pods(deployment):
        probe = deployment.machine(name)["template"]["spec"]["readinessProbe"]
        probed.append(next(handler["port"] for handler in probe.values() if isinstance(handler, dict)))

    assert not REFUSED_PORTS & {*probed, *(port["targetPort"] for port in ports(deployment))}


@pytest.mark.parametrize("port", sorted(REFUSED_PORTS))
def test_a_tier_on_a_refused_port_is_refused(port: int) -> None:
    for wrong in ((port, NODE_METRICS_PORT), (APPLICATION_PORT, port)):
        with pytest.raises(ValueError, match=f"port {port} is not a tier's to take"):
            Endpoint(wrong[0], "http", {}, wrong[1])


def test_without_a_mesh_nothing_tells_of_one() -> None:
    deployment = deploy(EVERYTHING)

    assert "istio" not in str([resource.inputs for resource in deployment.objects])
    assert "annotations" not in template(deployment, "multi-tier-web-0")
    assert not any("appProtocol" in port for port in ports(deployment)), "an existing stack's Services stay as they are"


def test_the_metrics_of_sidecars_are_scraped_like_others() -> None:
    deployment = deploy(MESH)
    given = [policy.inputs for policy in deployment.of_kind("NetworkPolicy")]
    chosen = deploy({**MESH, "networkPolicies": {"metricsFrom": ["monitoring"]}})

    assert given
    for tried in (deployment, chosen):
        database = pod(tried, "database")
        assert open_ports(tried, PROMETHEUS, database) == {15020, 15090}
        assert not open_ports(tried, NODE, database)
