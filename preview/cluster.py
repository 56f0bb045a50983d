"""The control plane of previews: real admission, but no controller and no node behind it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from typing import Any

from components.names import ADOPTABLE
from kube import client
from kube.errors import ApiError, StatusError
from kube.resources import (
    DATA_VOLUMES,
    NAMESPACES,
    SECRETS,
    VIRTUAL_MACHINE_POOLS,
    VIRTUAL_MACHINES,
    Object,
    Resource,
)
from lab.background import repeating
from lab.config import Lab
from preview.masking import secret_values

_POLL_SECONDS = 0.1
_READY = {"type": "Ready", "status": "True", "reason": "Preview", "message": "previews run no machines"}


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of another product, which the program emits if a setting enables it.

    Attributes:
        group: API group.
        version: API version.
        plural: Name in URLs.
        kind: Name in manifests.
    """

    group: str
    version: str
    plural: str
    kind: str

    @property
    def definition(self) -> Object:
        """A CustomResourceDefinition that accepts every object."""
        anything = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
        version = {"name": self.version, "served": True, "storage": True, "schema": {"openAPIV3Schema": anything}}
        names = {
            "plural": self.plural,
            "singular": self.kind.lower(),
            "kind": self.kind,
            "listKind": f"{self.kind}List",
        }
        return {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {
                "name": f"{self.plural}.{self.group}",
                # Mandatory for API groups below k8s.io.
                "annotations": {"api-approved.kubernetes.io": "unapproved, a stand-in in a preview"},
            },
            "spec": {"group": self.group, "names": names, "scope": "Namespaced", "versions": [version]},
        }


# Kinds without validation in a preview. The report says so if a change contains one.
UNCHECKED = (
    Kind("monitoring.coreos.com", "v1", "servicemonitors", "ServiceMonitor"),
    Kind("route.openshift.io", "v1", "routes", "Route"),
    Kind("gateway.networking.k8s.io", "v1", "httproutes", "HTTPRoute"),
)
# The preview has CDI's schemas, but not its webhooks.
UNCHECKED_BY_CDI = ("DataVolume", "DataSource")


class Cluster:
    """The API of the control plane."""

    def __init__(self, lab: Lab) -> None:
        self._api = client.connect(lab.kubeconfig)

    def install_stand_ins(self) -> None:
        """Define the optional kinds of other products."""
        definitions = [kind.definition for kind in UNCHECKED]
        self._api.apply(*definitions)
        self._api.wait_served(definitions)

    def ensure_namespace(self, name: str) -> None:
        """Create a namespace if it is missing: a dry run needs it. A new stack may take it over."""
        self._api.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "annotations": ADOPTABLE}})

    def namespaces(self, prefix: str) -> list[str]:
        """Return the names of namespaces with a prefix."""
        names = (item["metadata"]["name"] for item in self._api.list(NAMESPACES)[0])
        return [name for name in names if name.startswith(prefix)]

    def remove_namespaces(self, names: Iterable[str]) -> None:
        """Delete namespaces with everything in them, without waiting for completion."""
        for name in names:
            self._api.delete(NAMESPACES, name)

    def secrets(self) -> set[str]:
        """Return the values of all Secrets."""
        return secret_values(self._api.list(SECRETS)[0])

    def refusal(self, manifest: Mapping[str, Any]) -> str:
        """Return why the API server refuses to create an object, or an empty string.

        Raises:
            ApiError: It did not respond.
        """
        metadata = manifest["metadata"]
        # Its own name is taken by the object that it replaces.
        other = {**manifest, "metadata": {**metadata, "name": f"{metadata['name']}-new"}}
        resource = self._api.resource_of(other)
        try:
            self._api.create(resource, other, dry_run=True)
        except StatusError as error:
            return error.message or str(error)
        return ""

    def machines_ready(self) -> AbstractContextManager[None]:
        """Report every machine and data volume as ready while the body runs; none of them exists."""
        return repeating(self._make_ready, _POLL_SECONDS)

    def _make_ready(self) -> None:
        ready = {"created": True, "ready": True, "printableStatus": "Running", "conditions": [_READY]}
        statuses: dict[Resource, Callable[[Object], Object]] = {
            VIRTUAL_MACHINES: lambda _: ready,
            VIRTUAL_MACHINE_POOLS: lambda pool: {"readyReplicas": pool["spec"]["replicas"]},
            DATA_VOLUMES: lambda _: {"phase": "Succeeded"},
        }
        with suppress(ApiError):  # an object was deleted; the others get their turn in the next round
            for resource, status in statuses.items():
                for item in self._api.list(resource)[0]:
                    wanted = status(item)
                    if not wanted.items() <= item.get("status", {}).items():
                        name, namespace = item["metadata"]["name"], item["metadata"]["namespace"]
                        self._api.patch(resource, name, {"status": wanted}, namespace=namespace, subresource="status")
