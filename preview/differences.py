"""The differences between two versions of an object, property by property."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import zip_longest
from typing import Any

# What the engine prints in place of a value that is unknown until the change is made.
UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"

_PLAIN_KEY = re.compile(r"[\w-]+")


class Missing(Enum):
    """The value of a property in the version that lacks it."""

    ABSENT = "absent"


ABSENT = Missing.ABSENT


@dataclass(frozen=True, slots=True)
class Difference:
    """A property that differs.

    Attributes:
        path: Path of the property, such as `spec.template.spec.volumes[data].name`.
        old: Value before the change, or ABSENT.
        new: Value after the change, or ABSENT.
        nested: Differences between the documents if both values are JSON.
    """

    path: str
    old: Any
    new: Any
    nested: tuple[Difference, ...] = ()


def differences(old: Any, new: Any, path: str = "") -> list[Difference]:
    """Return the properties that differ between two trees of maps, lists and scalars.

    Items of lists are matched by name if they have names. A string is one property, even if it contains JSON.
    """
    if isinstance(old, str) and isinstance(new, str) and old != new:
        return [Difference(path, old, new, tuple(differences(*_documents(old, new))))]
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        keys = [*old, *(key for key in new if key not in old)]
        pairs = [(_child(path, key), old.get(key, ABSENT), new.get(key, ABSENT)) for key in keys]
    elif isinstance(old, list) and isinstance(new, list):
        pairs = _matched(old, new, path)
    else:
        return [] if old == new else [Difference(path, old, new)]
    return [found for child, before, after in pairs for found in differences(before, after, child)]


def _child(path: str, key: str) -> str:
    if not _PLAIN_KEY.fullmatch(key):
        return f"{path}[{json.dumps(key)}]"
    return f"{path}.{key}" if path else key


def _documents(old: str, new: str) -> tuple[Any, Any]:
    """Return the contents of two JSON documents, or None twice if one of the texts is not a document."""
    try:
        documents = json.loads(old), json.loads(new)
    except ValueError:
        return None, None
    return documents if all(isinstance(one, dict | list) for one in documents) else (None, None)


def _matched(old: Sequence[Any], new: Sequence[Any], path: str) -> list[tuple[str, Any, Any]]:
    """Match the items of two lists by name if all of them have a unique name, by position otherwise."""
    if (before := _by_name(old)) is not None and (after := _by_name(new)) is not None:
        names = [*before, *(name for name in after if name not in before)]
        return [(f"{path}[{name}]", before.get(name, ABSENT), after.get(name, ABSENT)) for name in names]
    pairs = zip_longest(old, new, fillvalue=ABSENT)
    return [(f"{path}[{index}]", *pair) for index, pair in enumerate(pairs)]


def _by_name(items: Sequence[Any]) -> dict[str, Any] | None:
    named = {item["name"]: item for item in items if isinstance(item, Mapping) and isinstance(item.get("name"), str)}
    return named if len(named) == len(items) else None
