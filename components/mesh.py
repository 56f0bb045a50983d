"""What makes the machines part of an Istio service mesh: labels, annotations, protocols, and reserved ports."""

from __future__ import annotations

from components.settings.mesh import MeshSettings

# Reserved by the sidecar and KubeVirt (KubeVirt 1.8, pkg/network/istio/ports.go).
SIDECAR_PORTS = (15000, 15001, 15004, 15006, 15008, 15009, 15020, 15021, 15053, 15090)
# KubeVirt routes SSH around the sidecar, so a tier on this port would not be in the mesh.
NOT_PROXIED_PORTS = (22,)
REFUSED_PORTS = frozenset({*SIDECAR_PORTS, *NOT_PROXIED_PORTS})
# The sidecar's metrics: merged with the workload's, and Envoy's own.
TELEMETRY_PORTS = (15020, 15090)
INJECT = "sidecar.istio.io/inject"


def namespace_labels(mesh: MeshSettings) -> dict[str, str]:
    """Return the labels that make Istio inject sidecars in a namespace; empty without a mesh."""
    if not mesh.enabled:
        return {}
    return {"istio.io/rev": mesh.revision} if mesh.revision else {"istio-injection": "enabled"}


def pod_labels(mesh: MeshSettings) -> dict[str, str]:
    """Return the labels that make Istio inject a sidecar in a Pod, even in a namespace without labels."""
    if not mesh.enabled:
        return {}
    return {INJECT: "true", **({"istio.io/rev": mesh.revision} if mesh.revision else {})}


def pod_annotations(mesh: MeshSettings) -> dict[str, str]:
    """Return the annotations of a machine with a sidecar.

    KubeVirt 1.8 checks the annotation, not the label, to route a guest's traffic through the sidecar. With mutual TLS,
    the node's probes only succeed through the sidecar, and not every Istio redirects them by default.
    """
    return {INJECT: "true", "sidecar.istio.io/rewriteAppHTTPProbers": "true"} if mesh.enabled else {}


def app_protocol(port_name: str) -> str:
    """Return the protocol of a Service's port, as both Kubernetes and Istio call it."""
    return "tcp" if port_name == "postgresql" else "http"
