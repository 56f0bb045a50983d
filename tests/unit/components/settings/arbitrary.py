"""Arbitrary configurations, drawn from the schema of the settings: mostly of valid values, and some of anything."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st

from components.settings import Settings
from components.settings.refusals import ConfigurationError, parse
from components.settings.schema import Schema, schema_of
from tests.unit.cloudinit.guest_examples import AUTHORITY, HOSTILE, PUBLIC_KEY

Config = dict[str, Any]

_SCHEMA = schema_of(Settings)
_SECRETS = {"ssh-ed25519": PUBLIC_KEY, "-----BEGIN": AUTHORITY}
_ODD = ["", " ", "\0", "0", "-1", "1e999", "01", "null", "true", "2Gi ", "5%", "[", "{}", "a" * 64, "\u0661", "\ud800"]
_SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=20),
    st.sampled_from([*_ODD, *HOSTILE.values()]),
)
_ANYTHING = st.recursive(
    _SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=10), inner, max_size=3)),
    max_leaves=5,
)


def configurations() -> st.SearchStrategy[Config]:
    """Return configurations of valid values, most of which don't contradict each other."""
    return st.lists(_settings(anything=False), max_size=6).map(_merged)


def wrong_configurations() -> st.SearchStrategy[Config]:
    """Return configurations with values of any type, and with keys that don't exist."""
    unknown = st.dictionaries(st.text(max_size=10), _ANYTHING, max_size=1)
    return st.tuples(st.lists(_settings(anything=True), max_size=4).map(_merged), unknown).map(
        lambda both: {**both[1], **both[0]}
    )


def raw(config: Config) -> dict[str, str]:
    """Return a configuration as the engine holds it."""
    return {key: value if isinstance(value, str) else json.dumps(value) for key, value in config.items()}


def deployable(config: Config) -> bool:
    """Return whether a configuration is accepted and its stack small enough to render in a test: up to 200 machines."""
    try:
        found: Settings = parse(raw(config))
    except ConfigurationError:
        return False
    return found.instances * (found.web.replicas + found.application.replicas) <= 200


def _settings(*, anything: bool) -> st.SearchStrategy[Config]:
    """Return configurations with one key of any depth, and those that it requires."""

    def nested(path: tuple[str, ...]) -> st.SearchStrategy[Config]:
        schema, required = _SCHEMA, []
        for depth, key in enumerate(path):
            required += [(path[:depth], name, schema["properties"][name]) for name in schema.get("required", ())]
            schema = schema["properties"][key]
        chosen = st.one_of(_valid(schema), _ANYTHING) if anything else _valid(schema)
        values = [(place, name, _valid(one)) for place, name, one in required]
        return st.tuples(chosen, *(one for _, _, one in values)).map(
            lambda drawn: _merged(
                [
                    *(_at((*place, name), value) for (place, name, _), value in zip(values, drawn[1:], strict=True)),
                    _at(path, drawn[0]),
                ]
            )
        )

    return st.sampled_from(list(_paths(_SCHEMA, whole=anything))).flatmap(nested)


def _paths(schema: Schema, *, whole: bool) -> Iterator[tuple[str, ...]]:
    """Yield the location of every setting, and with `whole` of every group of settings."""
    for key, node in schema["properties"].items():
        if whole or "properties" not in node:
            yield (key,)
        if "properties" in node:
            yield from ((key, *rest) for rest in _paths(node, whole=whole))


def _valid(schema: Schema) -> st.SearchStrategy[Any]:
    """Return the values that a schema allows; where it allows more than the type does, the examples in its words."""
    words = schema.get("allowed", "")
    match schema:
        case {"properties": keys}:
            required = schema.get("required", ())
            return st.fixed_dictionaries({name: _valid(keys[name]) for name in required})
        case {"enum": values}:
            return st.sampled_from(values)
        case {"const": value}:
            return st.just(value)
        case {"type": "boolean"}:
            return st.booleans()
        case {"type": "integer", "minimum": low, "maximum": high}:
            return st.one_of(st.sampled_from([low, high]), st.integers(low, min(high, low + 20)))
        case {"type": "number", "minimum": low, "maximum": high}:
            return st.floats(low, high)
        case {"type": "array", "items": items}:
            return st.lists(_valid(items), min_size=schema.get("minItems", 0), max_size=2, unique_by=json.dumps)
        case {"type": "object", "patternProperties": patterns}:
            ((pattern, value),) = patterns.items()
            return st.dictionaries(_matching(pattern), _valid(value), min_size=1, max_size=2)
        case {"pattern": pattern} if "system account" not in words:
            return _matching(pattern, schema.get("maxLength"))
    secret = next((value for start, value in _SECRETS.items() if start in words), None)
    return st.sampled_from([secret] if secret else re.findall(r'"([^"]+)"', words) or ["ann", "_x"])


def _matching(pattern: str, longest: int | None = None) -> st.SearchStrategy[str]:
    found = st.from_regex(re.compile(pattern, re.ASCII), fullmatch=True)
    return found.filter(lambda text: len(text) <= (longest or len(text)) and not text.endswith("\n"))


def _at(path: tuple[str, ...], value: Any) -> Config:
    for key in reversed(path):
        value = {key: value}
    found: Config = value
    return found


def _merged(configs: list[Config]) -> Config:
    """Return the configurations as one; where two have the same key, the later one's."""
    found: Config = {}
    for config in configs:
        for key, value in config.items():
            both = found.get(key), value
            found[key] = _merged(list(both)) if all(isinstance(one, dict) for one in both) else value  # type: ignore[arg-type]
    return found
