"""The control plane that previews are made against: real admission, and stand-ins for what is behind it."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

from kube import client
from kube.errors import ApiError, StatusError
from kube.resources import DATA_VOLUMES, NAMESPACES, SECRETS, VIRTUAL_MACHINES, Object
from lab.config import PROJECT, Lab
from preview import masking

_POLL_SECONDS = 0.1
_READY = {"type": "Ready", "status": "True", "reason": "Preview", "message": "no machine runs in a preview"}


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of object that another product brings, and that the program emits where a setting asks for it."""

    group: str
    version: str
    plural: str
    kind: str

    @property
    def definition(self) -> Object:
        """A definition that takes any such object as it is."""
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
                # The API server asks for this on groups of Kubernetes' own.
                "annotations": {"api-approved.kubernetes.io": "unapproved, a stand-in in a preview"},
            },
            "spec": {"group": self.group, "names": names, "scope": "Namespaced", "versions": [version]},
        }


# No product that checks these is here: the report says so where one is in a change.
UNCHECKED = (
    Kind("monitoring.coreos.com", "v1", "servicemonitors", "ServiceMonitor"),
    Kind("route.openshift.io", "v1", "routes", "Route"),
    Kind("gateway.networking.k8s.io", "v1", "httproutes", "HTTPRoute"),
)
# CDI's definitions are here, and so their schemas; its webhooks, which know more, are not.
UNCHECKED_BY_CDI = ("DataVolume", "DataSource")


def preview_lab() -> Lab:
    """Return the control plane of this checkout, or the one that MULTI_TIER_PREVIEW names, on a loopback network.

    Which one is taken from its directory, so that two checkouts don't meet.
    """
    root = Path(os.environ.get("MULTI_TIER_PREVIEW") or PROJECT / ".lab-preview").resolve()
    number = hashlib.sha256(str(root).encode()).digest()[0] % 254 + 1
    return Lab(root, IPv4Network(f"127.{number}.0.0/16"))


class Cluster:
    """What previews ask of the API server besides what the engine does."""

    def __init__(self, lab: Lab) -> None:
        self._api = client.connect(lab.kubeconfig)

    def install_stand_ins(self) -> None:
        """Have the API server take the kinds that other products bring."""
        definitions = [kind.definition for kind in UNCHECKED]
        self._api.apply(*definitions)
        self._api.wait_established([definition["metadata"]["name"] for definition in definitions])

    def ensure_namespace(self, name: str) -> None:
        """Make a namespace unless it is there: nothing is admitted to one that isn't."""
        self._api.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})

    def namespaces(self, prefix: str) -> list[str]:
        """Return the names of the namespaces that begin so."""
        names = (item["metadata"]["name"] for item in self._api.list(NAMESPACES)[0])
        return [name for name in names if name.startswith(prefix)]

    def remove_namespaces(self, names: Iterable[str]) -> None:
        """Have namespaces removed with all that is in them, without waiting for the end of it."""
        for name in names:
            self._api.delete(NAMESPACES, name)

    def secrets(self) -> set[str]:
        """Return everything that Secrets hold."""
        return masking.values(self._api.list(SECRETS)[0])

    def refusal(self, manifest: Mapping[str, Any]) -> str:
        """Return why the API server would not take an object that it doesn't have yet, or nothing.

        Raises:
            ApiError: it didn't answer.
        """
        metadata = manifest["metadata"]
        # Under its own name stands the object that it replaces.
        other = {**manifest, "metadata": {**metadata, "name": f"{metadata['name']}-new"}}
        resource = self._api.resource_of(other)
        try:
            self._api.create(resource, other, dry_run=True)
        except StatusError as error:
            return f"{error.status} {error.message}"
        return ""

    @contextmanager
    def machines_ready(self) -> Iterator[None]:
        """While the body runs, say of every machine and data volume that it is ready: none of them exists."""
        ended = threading.Event()
        thread = threading.Thread(target=self._make_ready, args=(ended,), daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()

    def _make_ready(self, ended: threading.Event) -> None:
        machine = {"status": {"created": True, "ready": True, "printableStatus": "Running", "conditions": [_READY]}}
        volume = {"status": {"phase": "Succeeded"}}
        while not ended.wait(_POLL_SECONDS):
            with suppress(ApiError):  # one that has just been removed; the others have their turn again
                for resource, status in ((VIRTUAL_MACHINES, machine), (DATA_VOLUMES, volume)):
                    for item in self._api.list(resource)[0]:
                        if "status" not in item or not status["status"].items() <= item["status"].items():
                            name, namespace = item["metadata"]["name"], item["metadata"]["namespace"]
                            self._api.patch(resource, name, status, namespace=namespace, subresource="status")
