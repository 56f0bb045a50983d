"""Asks a real API server what it would make of an object, without making it."""

from __future__ import annotations

from kube.client import Api, ApiError, Object, Resource

_NAMESPACES = Resource("v1", "namespaces", namespaced=False)


class Admission:
    """The API server's answers, admission webhooks included, to objects that are not kept."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def make_namespace(self, name: str) -> None:
        """Make a namespace for real: no object is admitted to one that isn't there."""
        self._api.create(_NAMESPACES, {"metadata": {"name": name}})

    def remove_namespace(self, name: str) -> None:
        self._api.delete(_NAMESPACES, name)

    def admit(self, manifest: Object) -> Object:
        """Return the object as it would be kept.

        Raises:
            ApiError: the object is refused.
        """
        path = self._api.resource_of(manifest).path(manifest["metadata"].get("namespace"))
        strictly = [("fieldValidation", "Strict")]
        kept: Object = self._api.request("POST", path, body=manifest, dry_run="All", query_params=strictly)
        return kept

    def refusal(self, manifest: Object) -> str:
        """Return the words with which the object is refused, or nothing."""
        try:
            self.admit(manifest)
        except ApiError as refused:
            return str(refused)
        return ""
