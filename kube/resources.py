"""What the Kubernetes API is about: objects as plain dictionaries, resources and their paths, and refusals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from lab.errors import LabError

Object: TypeAlias = dict[str, Any]
PatchType = Literal["json", "merge", "strategic-merge"]


class ApiError(LabError):
    """The API server refused a request or could not be reached.

    Attributes:
        status: the HTTP status, or 0 when there was no answer.
        reason: the machine-readable reason, such as "AlreadyExists".
    """

    def __init__(self, message: str, status: int = 0, reason: str = "") -> None:
        """Keep what the server said."""
        super().__init__(message)
        self.status = status
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Resource:
    """One kind of object, as its paths need it."""

    api_version: str
    plural: str
    namespaced: bool = True

    def path(self, namespace: str | None = None, name: str | None = None, subresource: str | None = None) -> str:
        """Return the URL path of the collection, of one object in it, or of an object's subresource."""
        prefix = "/apis/" if "/" in self.api_version else "/api/"
        place = ["namespaces", namespace] if self.namespaced and namespace else []
        return prefix + "/".join([self.api_version, *place, self.plural, *(x for x in (name, subresource) if x)])
