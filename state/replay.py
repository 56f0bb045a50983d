"""What a journal makes of a stack's state, as pure functions of JSON documents."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from enum import IntEnum
from typing import Any, TypeAlias

Document: TypeAlias = dict[str, Any]

_STACK_TYPE = "pulumi:pulumi:Stack"


class Kind(IntEnum):
    """What an entry of the journal records, by the engine's numbers."""

    BEGIN = 0
    SUCCESS = 1
    FAILURE = 2
    REFRESH_SUCCESS = 3
    OUTPUTS = 4
    WRITE = 5
    SECRETS_MANAGER = 6
    REBUILT_BASE = 7


class UnknownEntryError(Exception):
    """An entry that a later engine has introduced."""


def replay(base: Document, entries: Iterable[Document]) -> Document:
    """Return the state after an update, however far it got.

    Args:
        base: The state before the update.
        entries: The update's entries, in any order; repeated ones count once.

    Raises:
        UnknownEntryError: The journal has an entry that isn't understood.
    """
    update = _Update(base)
    for _, entry in sorted({entry["sequenceID"]: entry for entry in entries}.items()):
        update.add(entry)
    return update.state()


class _Update:
    """The state before an update, and what the update has changed.

    Entries name a resource of the former state by its index, and a new one by the operation that made it.
    """

    def __init__(self, base: Document) -> None:
        self._begin(base)
        self._refreshed = False

    def _begin(self, base: Document) -> None:
        self._base = base
        self._new: dict[int | None, Document] = {}
        self._pending: dict[int, Document] = {}
        # Of the former resources, by index: those that are gone, those that have changed, and marks on the others.
        self._gone: set[int] = set()
        self._changed: dict[int, Document] = {}
        self._marks: dict[int, Document] = {}

    def add(self, entry: Document) -> None:
        """Apply one entry."""
        kind, operation = entry["kind"], entry["operationID"]
        if kind == Kind.BEGIN:
            self._pending[operation] = entry
            return
        self._pending.pop(operation, None)
        match kind:
            case Kind.SUCCESS:
                self._succeed(entry)
            case Kind.REFRESH_SUCCESS:
                self._refreshed = True
                self._replace(entry, missing=entry.get("state") is None)
            case Kind.OUTPUTS:
                self._replace(entry)
            case Kind.WRITE:
                self._base = entry["newSnapshot"]
            case Kind.SECRETS_MANAGER:
                self._base = {**self._base, "secrets_providers": entry["secretsProvider"]}
            case Kind.REBUILT_BASE:
                self._begin(self.state())
            case _ if kind != Kind.FAILURE:
                raise UnknownEntryError(f"The engine sent a journal entry of the unknown kind {kind}.")

    def _succeed(self, entry: Document) -> None:
        if entry.get("state") is not None:
            self._new[entry["operationID"]] = entry["state"]
        self._forget(entry)
        self._mark(entry, "delete")
        self._mark(entry, "pendingReplacement")
        self._refreshed |= bool(entry.get("isRefresh"))

    def _forget(self, entry: Document) -> None:
        if entry.get("removeOld") is not None:
            self._gone.add(entry["removeOld"])
        self._new.pop(entry.get("removeNew"), None)

    def _replace(self, entry: Document, *, missing: bool = False) -> None:
        if missing:
            self._forget(entry)
        elif entry.get("state") is not None:
            if entry.get("removeOld") is not None:
                self._changed[entry["removeOld"]] = entry["state"]
            if entry.get("removeNew") in self._new:
                self._new[entry["removeNew"]] = entry["state"]

    def _mark(self, entry: Document, mark: str) -> None:
        old, new = entry.get(f"{mark}Old"), entry.get(f"{mark}New")
        if old is not None:
            self._marks.setdefault(old, {})[mark] = True
        if new in self._new:
            self._new[new] = {**self._new[new], mark: True}

    def state(self) -> Document:
        """Return the state as of the last entry."""
        resources = [dict(one) for one in (*self._new.values(), *self._former())]
        begun = [entry["operation"] for entry in self._pending.values() if entry.get("operation")]
        # Whether these exist is known only to the user, or to the lab, which looks for them.
        kept = [one for one in self._base.get("pending_operations") or () if one["type"] == "creating"]
        if self._refreshed:
            _drop_missing_references(resources)
        _rename(resources)
        now = datetime.now(UTC).isoformat().replace("+00:00", "Z")
        return {
            **self._base,
            "manifest": {**self._base["manifest"], "time": now},
            "resources": resources,
            "pending_operations": [*begun, *kept],
            "metadata": {},
        }

    def _former(self) -> Iterator[Document]:
        for index, resource in enumerate(self._base.get("resources") or ()):
            if index in self._changed and index not in self._gone:
                yield self._changed[index]
            elif index not in self._gone:
                yield {**resource, **self._marks.get(index, {})}


def _drop_missing_references(resources: list[Document]) -> None:
    """Drop dependencies on resources that a refresh found missing, and move their children to their parents."""
    parents: dict[str, str] = {}
    grandparents: dict[str, str] = {}
    for resource in resources:
        parent = resource.get("parent", "")
        if parent and parent not in parents:
            _set(resource, "parent", grandparents.get(parent, ""))
        grandparents[resource["urn"]] = parent
        for key in ("dependencies", "replaceWith"):
            if resource.get(key):
                resource[key] = [urn for urn in resource[key] if urn in parents]
        if resource.get("propertyDependencies"):
            resource["propertyDependencies"] = {
                name: [urn for urn in urns if urn in parents] for name, urns in resource["propertyDependencies"].items()
            }
        if resource.get("deletedWith") not in parents:
            resource.pop("deletedWith", None)
        parents[resource["urn"]] = resource.get("parent", "")


def _rename(resources: list[Document]) -> None:
    """Let all references use the present names of resources that had others, and drop their former names."""
    present: dict[str, str] = {}
    for resource in resources:
        present |= dict.fromkeys(resource.pop("aliases", None) or (), resource["urn"])
        parent = present.get(resource.get("parent", ""))
        if parent and _qualified_type(parent) != _STACK_TYPE:
            stack, project, kind, name = resource["urn"].split("::", 3)
            kind = f"{_qualified_type(parent)}${kind.rpartition('$')[2]}"
            present[resource["urn"]] = "::".join((stack, project, kind, name))
    if not present:
        return
    for resource in resources:
        for key in ("urn", "parent", "deletedWith", "viewOf"):
            if resource.get(key):
                resource[key] = present.get(resource[key], resource[key])
        if resource.get("provider"):
            urn, _, identity = resource["provider"].rpartition("::")
            resource["provider"] = f"{present.get(urn, urn)}::{identity}"
        if resource.get("dependencies"):
            resource["dependencies"] = [present.get(urn, urn) for urn in resource["dependencies"]]
        if resource.get("propertyDependencies"):
            resource["propertyDependencies"] = {
                name: [present.get(urn, urn) for urn in urns] for name, urns in resource["propertyDependencies"].items()
            }


def _qualified_type(urn: str) -> str:
    return urn.split("::", 3)[2]


def _set(resource: Document, key: str, value: str) -> None:
    if value:
        resource[key] = value
    else:
        resource.pop(key, None)
