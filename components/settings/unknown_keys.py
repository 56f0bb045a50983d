"""Suggestions for unknown keys: the closest known key, or the object that the key belongs to."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches

from components.settings.model import Location
from components.settings.schema import Schema, schema_at


def suggestion(schema: Schema, location: Location) -> str:
    """Return what is wrong with an unknown key, and the key that was probably meant."""
    *path, last = location
    key, known = str(last), list(schema_at(schema, tuple(path))["properties"])
    first, _, rest = key.partition(".")
    if rest and first in known:
        return f"is not nested: write {rest} under {first} (pulumi config set --path)"
    plain = {_plain(name): name for name in known}
    if near := get_close_matches(_plain(key), plain, n=1):
        return f"is unknown; did you mean {plain[near[0]]}?"
    if homes := [home for home, name in _nested_keys(schema) if _plain(name) == _plain(key)]:
        return f"is unknown here; it belongs to {', '.join(homes)}"
    return f"is unknown; the known keys are {', '.join(known)}"


def _plain(key: str) -> str:
    """Return a key without its most common mistakes: case, hyphens and underscores."""
    return key.casefold().replace("_", "").replace("-", "")


def _nested_keys(schema: Schema, home: str = "") -> Iterator[tuple[str, str]]:
    """Yield every key of an object within the schema, after the dotted key of the object."""
    for key, node in schema["properties"].items():
        path = f"{home}.{key}" if home else key
        if "properties" in node:
            yield from ((path, inner) for inner in node["properties"])
            yield from _nested_keys(node, path)
