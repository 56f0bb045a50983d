"""Asks a real API server what it would make of an object, without making it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kubernetes import config
from kubernetes.client import ApiException
from kubernetes.dynamic import DynamicClient

Manifest = dict[str, Any]


class Admission:
    """The API server's answers, admission webhooks included, to objects that are not kept."""

    def __init__(self, kubeconfig: Path) -> None:
        api_client = config.new_client_from_config(str(kubeconfig))  # type: ignore[no-untyped-call]
        self._client = DynamicClient(api_client)  # type: ignore[no-untyped-call]

    def make_namespace(self, name: str) -> None:
        """Make a namespace for real: no object is admitted to one that isn't there."""
        self._namespaces().create(body={"metadata": {"name": name}})

    def remove_namespace(self, name: str) -> None:
        self._namespaces().delete(name=name)

    def _namespaces(self) -> Any:
        return self._client.resources.get(api_version="v1", kind="Namespace")

    def admit(self, manifest: Manifest) -> Manifest:
        """Return the object as it would be kept.

        Raises:
            ApiException: the object is refused.
        """
        resource = self._client.resources.get(api_version=manifest["apiVersion"], kind=manifest["kind"])
        kept: Manifest = resource.create(
            body=manifest,
            namespace=manifest["metadata"].get("namespace"),
            dry_run="All",
            query_params=[("fieldValidation", "Strict")],
        ).to_dict()
        return kept

    def refusal(self, manifest: Manifest) -> str:
        """Return the words with which the object is refused, or nothing."""
        try:
            self.admit(manifest)
        except ApiException as refused:
            return str(refused.body)
        return ""
