"""What the engine's preview says that will be done, as one change an object."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from preview.differences import Difference, differences, masked, without_data


class Verdict(StrEnum):
    """What becomes of an object."""

    CREATED = "created"
    CHANGED = "changed"
    REPLACED = "replaced"
    DELETED = "deleted"


_VERDICTS = {
    "create": Verdict.CREATED,
    "update": Verdict.CHANGED,
    "replace": Verdict.REPLACED,
    "create-replacement": Verdict.REPLACED,
    "delete-replaced": Verdict.REPLACED,
    "delete": Verdict.DELETED,
}
_PROVIDERS = "pulumi:providers:"
_STRING_DATA = re.compile(r"^stringData\b")


@dataclass(frozen=True, slots=True)
class Change:
    """What becomes of one object.

    Attributes:
        verdict: created, changed, replaced or deleted.
        kind: its Kubernetes kind, or the last word of the engine's type.
        name: its name in the cluster, or the engine's.
        old: its properties before, secrets masked; empty where it is created.
        new: its properties after; empty where it is deleted.
        differences: the properties that differ, of one that is changed or replaced.
        retained: whether it stays in the cluster when the stack is done with it.
    """

    verdict: Verdict
    kind: str
    name: str
    old: Mapping[str, Any]
    new: Mapping[str, Any]
    differences: tuple[Difference, ...] = ()
    retained: bool = False

    @property
    def former_name(self) -> str:
        """Its name before the change."""
        return str(self.old.get("metadata", {}).get("name", self.name))


def changes(steps: Iterable[Mapping[str, Any]]) -> list[Change]:
    """Return what the steps of `pulumi preview --json` do to objects, in their order.

    The engine's own groupings (components, the stack) and its providers are no objects.
    """
    of_one: dict[str, list[Mapping[str, Any]]] = {}
    for step in steps:
        state = step.get("newState") or step.get("oldState") or {}
        if step["op"] in _VERDICTS and state.get("custom") and not state["type"].startswith(_PROVIDERS):
            of_one.setdefault(step["urn"], []).append(step)
    return [_change(group) for group in of_one.values()]


def _change(steps: list[Mapping[str, Any]]) -> Change:
    verdict = _VERDICTS[steps[0]["op"]]
    old, new = _state(steps, "oldState"), _state(steps, "newState")
    before = {} if verdict is Verdict.CREATED else _shown(old)
    after = {} if verdict is Verdict.DELETED else _shown(new)
    found: list[Difference] = []
    if before and after:
        found = differences(before, after)
        known = {one.path for one in found}
        paths = {_STRING_DATA.sub("data", path) for step in steps for path in step.get("detailedDiff") or ()}
        found += [one for one in masked(before, after, paths) if one.path not in known]
    state = new or old
    return Change(
        verdict=verdict,
        kind=state["inputs"].get("kind") or state["type"].rpartition(":")[2],
        name=state["inputs"].get("metadata", {}).get("name") or state["urn"].rpartition("::")[2],
        old=before,
        new=after,
        differences=tuple(found),
        retained=bool(old.get("retainOnDelete")),
    )


def _state(steps: list[Mapping[str, Any]], side: str) -> Mapping[str, Any]:
    return next((step[side] for step in steps if step.get(side)), {})


def _shown(state: Mapping[str, Any]) -> dict[str, Any]:
    # What begins with two underscores is the provider's own.
    inputs = {key: value for key, value in state.get("inputs", {}).items() if not key.startswith("__")}
    return without_data(inputs) if inputs.get("kind") == "Secret" else inputs
