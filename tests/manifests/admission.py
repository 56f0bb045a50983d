"""Asks a real API server what it would make of an object, without making it."""

from __future__ import annotations

from kube.client import Api
from kube.errors import StatusError
from kube.resources import NAMESPACES, Object


class Admission:
    """The API server's answers, admission webhooks included, to objects that are not kept."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def make_namespace(self, name: str) -> None:
        """Make a namespace for real: no object is admitted to one that isn't there."""
        self._api.create(NAMESPACES, {"metadata": {"name": name}})

    def remove_namespace(self, name: str) -> None:
        self._api.delete(NAMESPACES, name)

    def admit(self, manifest: Object) -> Object:
        """Return the object as it would be kept.

        Raises:
            StatusError: the object is refused.
        """
        return self._api.create(self._api.resource_of(manifest), manifest, dry_run=True, strict=True)

    def refusal(self, manifest: Object) -> str:
        """Return the words with which the object is refused, or nothing."""
        try:
            self.admit(manifest)
        except StatusError as refused:
            return str(refused)
        return ""
