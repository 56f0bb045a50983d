"""Dry runs of objects on a real API server, admission webhooks included."""

from __future__ import annotations

from kube.client import Api
from kube.errors import StatusError
from kube.resources import NAMESPACES, Object


class Admission:
    """An API server that is asked to admit objects, without storing them."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def make_namespace(self, name: str) -> None:
        """Create a namespace for real, since objects are only admitted to an existing one."""
        self._api.create(NAMESPACES, {"metadata": {"name": name}})

    def remove_namespace(self, name: str) -> None:
        self._api.delete(NAMESPACES, name)

    def admit(self, manifest: Object) -> Object:
        """Return the object as it would be stored.

        Raises:
            StatusError: The object is refused.
        """
        return self._api.create(self._api.resource_of(manifest), manifest, dry_run=True, strict=True)

    def refusal(self, manifest: Object) -> str:
        """Return why the object is refused; an empty string if it is admitted."""
        try:
            self.admit(manifest)
        except StatusError as refused:
            return str(refused)
        return ""
