"""CDI on a real node: its API server and controller, the certificates that they need, and its configuration."""

from __future__ import annotations

from kube.client import Api
from kube.resources import DEPLOYMENTS
from lab.cluster.certificates import CDI_SIGNER
from lab.cluster.objects import Manifest, of_kind, tls_secret
from lab.config import Lab
from lab.node.volumes import STORAGE_CLASS

_NAMESPACE = "cdi"
_API_SERVER = "cdi-api"
# Secrets and bundles that the operator would make -> the lab's certificate in each.
_CERTIFICATES = {
    "cdi-apiserver-server-cert": "cdi-apiserver-server",
    "cdi-uploadserver-signer": CDI_SIGNER,
    "cdi-uploadserver-client-signer": CDI_SIGNER,
}
_BUNDLES = {
    "cdi-apiserver-signer-bundle": "ca",
    "cdi-uploadserver-signer-bundle": CDI_SIGNER,
    "cdi-uploadserver-client-signer-bundle": CDI_SIGNER,
}


def objects(lab: Lab, manifests: list[Manifest]) -> list[Manifest]:
    """Return what CDI's components need, and their Deployments last."""
    services = [item for item in of_kind(manifests, "Service") if item["metadata"]["name"] == _API_SERVER]
    return [
        *(_bundle(lab, name, file) for name, file in _BUNDLES.items()),
        *(tls_secret(lab, _NAMESPACE, name, file) for name, file in _CERTIFICATES.items()),
        *_configuration(),
        *services,
        *of_kind(manifests, "Deployment"),
    ]


def _bundle(lab: Lab, name: str, file: str) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": _NAMESPACE},
        "data": {"ca-bundle.crt": (lab.pki / f"{file}.crt").read_text()},
    }


def _configuration() -> list[Manifest]:
    """Return the CDI object, which the controller looks up, and what the lab's storage is capable of."""
    version = "cdi.kubevirt.io/v1beta1"
    capabilities = [{"accessModes": ["ReadWriteOnce"], "volumeMode": "Filesystem"}]
    return [
        {"apiVersion": version, "kind": "CDI", "metadata": {"name": "cdi"}, "spec": {}},
        {
            "apiVersion": version,
            "kind": "StorageProfile",
            "metadata": {"name": STORAGE_CLASS},
            "spec": {"claimPropertySets": capabilities},
        },
    ]


def why_not_ready(cluster: Api) -> str | None:
    """Return which of CDI's Deployments are not available; None if all are."""
    deployments = cluster.list(DEPLOYMENTS, _NAMESPACE)[0]
    missing = [item["metadata"]["name"] for item in deployments if not item["status"].get("availableReplicas")]
    if not missing:
        return None
    return f"{' and '.join(missing)} not available. See `kubectl describe pod -n {_NAMESPACE}`."
