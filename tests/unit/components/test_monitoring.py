"""The ServiceMonitor of a stack."""

from __future__ import annotations

from typing import Any

import pytest

from components.monitoring import LABELS
from tests.unit.components.mocks import Deployment, deploy

MONITORED = {"name": "shop", "metrics": {"enabled": True, "serviceMonitors": True}}


def monitor(deployment: Deployment) -> dict[str, Any]:
    return deployment.object("ServiceMonitor", "shop-metrics").inputs


@pytest.mark.parametrize("load", [{}, {"dedicated": True}, {"enabled": False}], ids=["on web", "dedicated", "off"])
def test_every_metrics_port_of_the_stack_is_scraped_and_no_other(load: dict[str, Any]) -> None:
    deployment = deploy({**MONITORED, "load": load})
    spec = monitor(deployment)["spec"]

    selected = spec["selector"]["matchLabels"].items()
    services = deployment.of_kind("Service")
    assert services
    assert all(selected <= service.inputs["metadata"]["labels"].items() for service in services)
    offered = {port["name"] for service in services for port in service.inputs["spec"]["ports"]}
    assert {endpoint["port"] for endpoint in spec["endpoints"]} == offered - {"http", "postgresql"}


def test_another_stack_in_the_namespace_is_not_scraped() -> None:
    selected = monitor(deploy(MONITORED))["spec"]["selector"]["matchLabels"]
    others = deploy({"metrics": {"enabled": True}}).of_kind("Service")

    assert not any(selected.items() <= service.inputs["metadata"]["labels"].items() for service in others)


def test_every_target_has_the_labels_that_the_dashboard_queries() -> None:
    for endpoint in monitor(deploy(MONITORED))["spec"]["endpoints"]:
        named = {rule["targetLabel"]: rule["sourceLabels"] for rule in endpoint["relabelings"]}

        assert named == {label: [source] for label, source in LABELS.items()}
        assert endpoint["interval"] == "15s"


def test_it_is_in_the_namespace_of_the_services_with_the_labels_of_the_stack() -> None:
    metadata = monitor(deploy({**MONITORED, "namespace": "retail"}))["metadata"]

    assert metadata["namespace"] == "retail"
    assert metadata["labels"].items() >= {"app.kubernetes.io/instance": "shop"}.items()


@pytest.mark.parametrize("metrics", [{}, {"enabled": True}], ids=["off", "without the operator"])
def test_no_service_monitor_is_created_unless_enabled(metrics: dict[str, Any]) -> None:
    assert not deploy({"name": "shop", "metrics": metrics}).of_kind("ServiceMonitor")
