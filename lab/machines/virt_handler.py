"""KubeVirt's part of a real node: the DaemonSet of virt-handler, and the certificates by which others know it."""

from __future__ import annotations

from typing import Any

from kube.client import Api
from kube.resources import NODES
from lab.cluster.objects import Manifest, of_kind, tls_secret
from lab.config import NODE_NAME, Lab
from lab.host import kvm

_NAMESPACE = "kubevirt"
# Secrets that virt-handler mounts -> the lab's certificate in each.
_CERTIFICATES = {
    "kubevirt-virt-handler-certs": "virt-handler-client",
    "kubevirt-virt-handler-server-certs": "virt-handler-server",
    "kubevirt-virt-handler-migration-client-certs": "virt-handler-migration",
    "kubevirt-virt-handler-vsock-client-certs": "virt-handler-client",
}


def objects(lab: Lab, manifests: list[Manifest]) -> list[Manifest]:
    """Return what virt-handler needs, and its DaemonSet last."""
    authority = (lab.pki / "ca.crt").read_text()
    bundle = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "kubevirt-ca", "namespace": _NAMESPACE},
        "data": {"ca-bundle": authority},
    }
    [daemon_set] = of_kind(manifests, "DaemonSet")
    secrets = (tls_secret(lab, _NAMESPACE, name, file) for name, file in _CERTIFICATES.items())
    return [bundle, *secrets, _adapted(daemon_set)]


def _adapted(daemon_set: Manifest) -> Manifest:
    """Return the DaemonSet for this machine: without KVM, its node labeller asks QEMU what it emulates."""
    [labeller] = daemon_set["spec"]["template"]["spec"]["initContainers"]
    if not kvm.works():
        for variable in labeller["env"]:
            if variable["name"] == "PREFERRED_VIRTTYPE":
                variable["value"] = "qemu"
    return daemon_set


def why_not_ready(cluster: Api) -> str | None:
    """Return why virt-handler has not declared the node ready for machines; None if it has."""
    node: Any = cluster.find(NODES, NODE_NAME) or {"metadata": {}}
    if node["metadata"].get("labels", {}).get("kubevirt.io/schedulable") == "true":
        return None
    next_step = "See `kubectl describe pod -n kubevirt` and `.venv/bin/python -m lab logs kubelet`."
    return f"virt-handler has not declared the node ready. {next_step}"
