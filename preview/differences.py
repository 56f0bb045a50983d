"""Two versions of an object compared, property by property; secrets stay masked."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

# What the engine writes in place of a secret, and of a value that isn't known before the change is made.
SECRET = "[secret]"  # noqa: S105
UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"

_PLAIN_KEY = re.compile(r"[\w-]+")


class Absent:
    """The value of a property on the side that doesn't have it."""

    def __repr__(self) -> str:
        return "absent"


ABSENT = Absent()


@dataclass(frozen=True, slots=True)
class Difference:
    """One property that differs.

    Attributes:
        path: where it is, as in `spec.template.spec.volumes[data].name`.
        old: its value before the change; ABSENT where there was none.
        new: its value after it.
        inside: what differs within the documents, where both values are JSON texts.
    """

    path: str
    old: Any
    new: Any
    inside: tuple[Difference, ...] = ()


def differences(old: Any, new: Any, path: str = "") -> list[Difference]:
    """Return the properties that differ between two trees of maps, lists and scalars.

    Lists of named things are compared by name. A text is one property, also where it is JSON and is looked into.
    """
    if isinstance(old, str) and isinstance(new, str) and old != new:
        return [Difference(path, old, new, tuple(differences(*_documents(old, new))))]
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        keys = [*old, *(key for key in new if key not in old)]
        pairs = [(_below(path, key), old.get(key, ABSENT), new.get(key, ABSENT)) for key in keys]
    elif isinstance(old, list) and isinstance(new, list):
        pairs = _paired(old, new, path)
    else:
        return [] if old == new else [Difference(path, old, new)]
    return [found for below, before, after in pairs for found in differences(before, after, below)]


def masked(old: Any, new: Any, paths: Iterable[str]) -> list[Difference]:
    """Return those of the paths, which the engine says differ, at which both sides show nothing but the mask."""
    return [Difference(one, SECRET, SECRET) for one in sorted(paths) if _is_masked(old, one) and _is_masked(new, one)]


def without_data(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Return a Kubernetes Secret with the mask in place of every value, secret to the engine or not.

    What is given as `stringData` the API keeps as `data`, and the provider shows now one and now the other.
    """
    rest = {key: value for key, value in manifest.items() if key not in ("data", "stringData")}
    held = [manifest[field] for field in ("data", "stringData") if field in manifest]
    if not all(isinstance(values, Mapping) for values in held):
        return {**rest, "data": SECRET}
    return {**rest, "data": dict.fromkeys((key for values in held for key in values), SECRET)}


def _below(path: str, key: str) -> str:
    if not _PLAIN_KEY.fullmatch(key):
        return f"{path}[{json.dumps(key)}]"
    return f"{path}.{key}" if path else key


def _documents(old: str, new: str) -> tuple[Any, Any]:
    """Return what two JSON texts hold; nothing where there is nothing to look into."""
    try:
        documents = json.loads(old), json.loads(new)
    except ValueError:
        return None, None
    return documents if all(isinstance(one, dict | list) for one in documents) else (None, None)


def _paired(old: Sequence[Any], new: Sequence[Any], path: str) -> list[tuple[str, Any, Any]]:
    """Pair the items of two lists: by name where all have one of their own, else by position."""
    if (before := _by_name(old)) is not None and (after := _by_name(new)) is not None:
        names = [*before, *(name for name in after if name not in before)]
        return [(f"{path}[{name}]", before.get(name, ABSENT), after.get(name, ABSENT)) for name in names]
    length = max(len(old), len(new))
    before_after = ([*side, *[ABSENT] * (length - len(side))] for side in (old, new))
    return [(f"{path}[{index}]", *pair) for index, pair in enumerate(zip(*before_after, strict=True))]


def _by_name(items: Sequence[Any]) -> dict[str, Any] | None:
    named = {item["name"]: item for item in items if isinstance(item, Mapping) and isinstance(item.get("name"), str)}
    return named if len(named) == len(items) else None


def _is_masked(tree: Any, path: str) -> bool:
    """Whether the mask stands at a path of the engine's (`a.b[0]["c.d"]`), or somewhere on the way to it."""
    for quoted, index, key in re.findall(r'\["((?:[^"\\]|\\.)*)"\]|\[(\d+)\]|([^.\[\]]+)', path):
        if tree == SECRET:
            return True
        if index:
            tree = tree[int(index)] if isinstance(tree, list) and int(index) < len(tree) else None
        else:
            tree = tree.get(quoted or key) if isinstance(tree, Mapping) else None
    return bool(tree == SECRET)
