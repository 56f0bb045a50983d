"""The ServiceMonitor, from which the Prometheus operator scrapes a stack's metrics."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pulumi
import pulumi_kubernetes as kubernetes

from components.names import Names

COMPONENT = "metrics"
INTERVAL = "15s"
PORTS = ("metrics", "node-metrics")
# By default a target is identified by its address, which is meaningless and changes with the machine.
LABELS = {
    "stack": "__meta_kubernetes_service_label_app_kubernetes_io_instance",
    "tier": "__meta_kubernetes_service_label_app_kubernetes_io_component",
    "machine": "__meta_kubernetes_pod_label_vm_kubevirt_io_name",
}


class Monitoring(pulumi.ComponentResource):
    """A ServiceMonitor for the metrics ports of all the stack's Services. The cluster needs the Prometheus operator."""

    def __init__(self, names: Names, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("multi-tier:components:Monitoring", names.resource("monitoring"), None, opts)
        kubernetes.apiextensions.CustomResource(
            names.resource("service-monitor"),
            api_version="monitoring.coreos.com/v1",
            kind="ServiceMonitor",
            metadata={
                "name": names.metrics,
                "namespace": names.namespace,
                "labels": names.labels(COMPONENT),
            },
            spec=specification(names),
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.register_outputs({})


def specification(names: Names) -> Mapping[str, Any]:
    """Return the ServiceMonitor's spec: Services, ports, and labels of the targets."""
    relabelings = [
        {"action": "replace", "sourceLabels": [source], "targetLabel": label} for label, source in LABELS.items()
    ]
    return {
        "selector": {"matchLabels": {"app.kubernetes.io/instance": names.name}},
        "endpoints": [{"port": port, "interval": INTERVAL, "relabelings": relabelings} for port in PORTS],
    }
