"""Hints for keys that no setting has: the nearest right one, or where it belongs."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches
from types import UnionType
from typing import get_args

from pydantic import BaseModel

from components.settings.stack import Settings


def hint(location: tuple[str | int, ...]) -> str:
    """Return what to say of an unknown key; of an empty last key, which keys its object has."""
    *path, last = (str(part) for part in location)
    model = _model_at(path)
    known = [str(field.alias) for field in model.model_fields.values()]
    if not last:
        return f"must be a mapping with some of the keys {_listed(known)}"
    first, _, rest = last.partition(".")
    if rest and first in known:
        return f"is not nested: write {rest} under {first} (pulumi config set --path)"
    plain = {_plain(key): key for key in known}
    if near := get_close_matches(_plain(last), plain, n=1):
        return f"is unknown; did you mean {plain[near[0]]}?"
    if homes := [home for home, key in _all_keys(Settings) if _plain(key) == _plain(last)]:
        return f"is unknown here; it belongs to {_listed(homes)}"
    return f"is unknown; the keys here are {_listed(known)}"


def _plain(key: str) -> str:
    """Return a key without what is most often wrong in one: case, hyphens and underscores."""
    return key.casefold().replace("_", "").replace("-", "")


def _listed(words: list[str]) -> str:
    return ", ".join(words)


def _model_at(path: list[str]) -> type[BaseModel]:
    model: type[BaseModel] = Settings
    for part in path:
        model = next(nested for key, nested in _nested(model) if key == part)
    return model


def _nested(model: type[BaseModel]) -> Iterator[tuple[str, type[BaseModel]]]:
    """Yield the keys of a model that hold a model themselves, and those models."""
    for field in model.model_fields.values():
        choices = get_args(field.annotation) if isinstance(field.annotation, UnionType) else (field.annotation,)
        for choice in choices:
            if isinstance(choice, type) and issubclass(choice, BaseModel):
                yield str(field.alias), choice


def _all_keys(model: type[BaseModel], home: str = "") -> Iterator[tuple[str, str]]:
    """Yield every nested key with the dotted key of the object that it belongs to."""
    for key, nested in _nested(model):
        path = f"{home}.{key}" if home else key
        yield from ((path, str(field.alias)) for field in nested.model_fields.values())
        yield from _all_keys(nested, path)
