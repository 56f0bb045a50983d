"""What makes the machines part of an Istio service mesh: labels, annotations, protocols, and ports to keep clear of."""

from __future__ import annotations

from components.settings.network import Mesh

# What a sidecar and KubeVirt keep for themselves (KubeVirt 1.8, pkg/network/istio/ports.go).
SIDECAR_PORTS = (15000, 15001, 15004, 15006, 15008, 15009, 15020, 15021, 15053, 15090)
# KubeVirt leads it around the sidecar, so nothing of it would be in the mesh.
NOT_PROXIED_PORTS = (22,)
REFUSED_PORTS = frozenset({*SIDECAR_PORTS, *NOT_PROXIED_PORTS})
# The sidecar's own metrics: merged with the workload's, and Envoy's alone.
TELEMETRY_PORTS = (15020, 15090)
INJECT = "sidecar.istio.io/inject"


def namespace_labels(mesh: Mesh) -> dict[str, str]:
    """Return the labels by which Istio injects sidecars in a namespace; none without a mesh."""
    if not mesh.enabled:
        return {}
    return {"istio.io/rev": mesh.revision} if mesh.revision else {"istio-injection": "enabled"}


def pod_labels(mesh: Mesh) -> dict[str, str]:
    """Return the labels by which Istio injects a sidecar in one Pod, in a namespace without its labels too."""
    if not mesh.enabled:
        return {}
    return {INJECT: "true", **({"istio.io/rev": mesh.revision} if mesh.revision else {})}


def pod_annotations(mesh: Mesh) -> dict[str, str]:
    """Return the annotations of a machine with a sidecar.

    KubeVirt 1.8 looks at the annotation, and not at the label, when it leads a guest's traffic through the sidecar.
    With mutual TLS the node's probes only succeed through the sidecar, where not every Istio leads them by itself.
    """
    return {INJECT: "true", "sidecar.istio.io/rewriteAppHTTPProbers": "true"} if mesh.enabled else {}


def app_protocol(port_name: str) -> str:
    """Return the protocol of a Service's port, in the words of both Kubernetes and Istio."""
    return "tcp" if port_name == "postgresql" else "http"
