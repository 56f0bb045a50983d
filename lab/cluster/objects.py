"""The API objects that KubeVirt's and CDI's operators would install."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from lab.cluster.control_plane import VIRT_API_PORT
from lab.command import run
from lab.config import Lab
from lab.host import kvm
from lab.toolchain import cache, node_image

Manifest = dict[str, Any]

# All common instance types take as long to create as everything else. These are the usual ones for a first VM.
_INSTANCETYPES = ("u1.", "cx1.", "o1.", "m1.")


def _generate(command: list[str], destination: Path) -> None:
    (destination / "manifests.json").write_text(run(*command))


def generated(lab: Lab) -> list[Manifest]:
    """Return KubeVirt's and CDI's own manifests, from the generators that are built with their programs."""
    if not lab.machines:
        return _printed(lab, "manifests")
    images = (image.reference for image in node_image.CDI.values())
    return _printed(lab, "manifests", f"-image={node_image.REFERENCE}") + _printed(lab, "cdi-manifests", *images)


def _printed(lab: Lab, program: str, *arguments: str) -> list[Manifest]:
    command = [str((lab.binaries / program).resolve()), *arguments]
    path = cache.get("manifests", cache.key(command), lambda directory: _generate(command, directory))
    items: list[Manifest] = json.loads((path / "manifests.json").read_bytes())["items"]
    return [{key: value for key, value in item.items() if key != "status"} for item in items]


def of_kind(manifests: Iterable[Manifest], *kinds: str) -> list[Manifest]:
    """Return the manifests of some kinds."""
    return [manifest for manifest in manifests if manifest["kind"] in kinds]


def namespaces() -> list[Manifest]:
    """Return the namespaces of KubeVirt and CDI."""
    return [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}} for name in ("kubevirt", "cdi")]


def access_rules(manifests: list[Manifest]) -> list[Manifest]:
    """Return the service accounts of KubeVirt and CDI, their RBAC, CoreDNS's and the network-policy controller's."""
    kinds = ("ServiceAccount", "ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding", "PriorityClass")
    return [
        *of_kind(manifests, *kinds),
        *_readers(
            "system:coredns",
            {"": ["endpoints", "services", "pods", "namespaces"], "discovery.k8s.io": ["endpointslices"]},
        ),
        *_readers(
            "system:network-policy-controller",
            {"": ["nodes", "pods", "namespaces"], "networking.k8s.io": ["networkpolicies"]},
        ),
    ]


def _readers(user: str, resources: Mapping[str, list[str]]) -> list[Manifest]:
    """Return the RBAC of a user that reads the given resources, by API group."""
    rules = [
        {"apiGroups": [group], "resources": names, "verbs": ["get", "list", "watch"]}
        for group, names in resources.items()
    ]
    api_group = "rbac.authorization.k8s.io"
    return [
        {
            "apiVersion": f"{api_group}/v1",
            "kind": "ClusterRole",
            "metadata": {"name": user},
            "rules": rules,
        },
        {
            "apiVersion": f"{api_group}/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": user},
            "roleRef": {"apiGroup": api_group, "kind": "ClusterRole", "name": user},
            "subjects": [{"kind": "User", "name": user, "apiGroup": api_group}],
        },
    ]


def kubevirt(lab: Lab) -> Manifest:
    """Return the KubeVirt object, which contains the configuration."""
    return {
        "apiVersion": "kubevirt.io/v1",
        "kind": "KubeVirt",
        "metadata": {"name": "kubevirt", "namespace": "kubevirt"},
        "spec": {"configuration": {"developerConfiguration": {"useEmulation": not (lab.machines and kvm.works())}}},
    }


KUBEVIRT_STATUS = {"status": {"phase": "Deployed", "defaultArchitecture": "amd64"}}


def virt_api_service(lab: Lab, manifests: list[Manifest]) -> list[Manifest]:
    """Return virt-api's Service, without a selector because virt-api is not a Pod here, and its endpoint."""
    service = next(item for item in of_kind(manifests, "Service") if item["metadata"]["name"] == "virt-api")
    spec = {key: value for key, value in service["spec"].items() if key != "selector"}
    slice_ = {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": "virt-api-lab",
            "namespace": "kubevirt",
            "labels": {"kubernetes.io/service-name": "virt-api"},
        },
        "addressType": "IPv4",
        "endpoints": [{"addresses": [str(lab.address)], "conditions": {"ready": True}}],
        "ports": [{"name": port.get("name", ""), "port": VIRT_API_PORT, "protocol": "TCP"} for port in spec["ports"]],
    }
    return [{**service, "spec": spec}, slice_]


def tls_secret(lab: Lab, namespace: str, name: str, file: str) -> Manifest:
    """Return a Secret with one of the lab's certificates and its key."""
    content = {f"tls.{kind}": base64.b64encode((lab.pki / f"{file}.{kind}").read_bytes()) for kind in ("crt", "key")}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "kubernetes.io/tls",
        "metadata": {"name": name, "namespace": namespace},
        "data": {key: value.decode() for key, value in content.items()},
    }


def _trusting(lab: Lab, objects: list[Manifest]) -> list[Manifest]:
    """Make objects that call virt-api or CDI's API server trust the lab's certificate authority, and find it."""
    bundle = base64.b64encode((lab.pki / "ca.crt").read_bytes()).decode()
    for item in objects:
        if item["kind"] == "APIService":
            item["spec"]["caBundle"] = bundle
            item["spec"].pop("insecureSkipTLSVerify", None)
        for webhook in item.get("webhooks", ()):
            client = webhook["clientConfig"]
            client["caBundle"] = bundle
            if not lab.isolated:  # a Service can't have a loopback address behind it
                service = client.pop("service")
                client["url"] = f"https://{lab.address}:{VIRT_API_PORT}{service.get('path', '')}"
    return objects


def aggregated_api(lab: Lab, manifests: list[Manifest]) -> list[Manifest]:
    """Return the aggregated APIs: KubeVirt's subresources such as start, stop and restart, and CDI's uploads."""
    return _trusting(lab, of_kind(manifests, "APIService"))


def admission(lab: Lab, manifests: list[Manifest]) -> list[Manifest]:
    """Return the admission webhooks of KubeVirt and CDI."""
    return _trusting(lab, of_kind(manifests, "MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"))


def instancetypes(manifests: list[Manifest]) -> list[Manifest]:
    """Return the common instance types and all preferences."""
    chosen = of_kind(manifests, "VirtualMachineClusterInstancetype")
    chosen = [item for item in chosen if item["metadata"]["name"].startswith(_INSTANCETYPES)]
    return chosen + of_kind(manifests, "VirtualMachineClusterPreference")
