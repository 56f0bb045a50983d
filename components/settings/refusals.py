"""From a stack's configuration to its settings: all errors are reported together, in one line each."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

from pydantic import ValidationError
from pydantic_core import ErrorDetails, from_json

from components.settings.model import Location, Model
from components.settings.schema import Schema, allowed, schema_at, schema_of
from components.settings.stack import Settings
from components.settings.unknown_keys import suggestion

LONGEST_VALUE = 60
Parsed = TypeVar("Parsed", bound=Model)
Refusal = tuple[Location, str]
"""Where something is wrong, and what."""


class ConfigurationError(Exception):
    """The configuration of a stack is invalid; the message has a line for each error."""


def parse(
    raw: Mapping[str, str],
    secrets: frozenset[str] = frozenset(),
    prefix: str = "multi-tier:",
    model: type[Parsed] = Settings,  # type: ignore[assignment]
) -> Parsed:
    """Return the settings in a stack's configuration.

    Args:
        raw: Top-level keys without the prefix, with values from the engine: text, or JSON for anything else.
        secrets: Keys whose values are encrypted in the stack file and must not be shown.
        prefix: Prefix of the keys in the stack file.
        model: The settings to expect.

    Raises:
        ConfigurationError: The configuration is invalid. Contradictions are reported once all values are valid.
    """
    schema = schema_of(model)
    refusals: list[Refusal] = [
        ((key,), "is encrypted, but no setting is secret: store it in plain text") for key in secrets
    ]
    document = json.dumps({key: _value(schema, key, text) for key, text in raw.items()})
    try:
        # JSON, because that is what strict validation accepts the values of an enumeration from.
        settings = model.model_validate_json(document, strict=True, by_alias=True, by_name=False)
    except ValidationError as error:
        refusals += [_refusal(schema, detail, secrets) for detail in error.errors(include_url=False)]
    else:
        refusals = refusals or list(_contradictions(settings))
        if not refusals:
            return settings
    lines = sorted(_printable(f"{prefix}{_key(location)}: {problem}") for location, problem in refusals)
    count = "an error" if len(lines) == 1 else f"{len(lines)} errors"
    raise ConfigurationError("\n  ".join([f"The stack's configuration has {count}; nothing was changed.", *lines]))


def _value(schema: Schema, key: str, text: str) -> Any:
    """Return a top-level value. Text that isn't JSON is kept, so that its type is refused."""
    if schema["properties"].get(key, {"type": "string"})["type"] == "string":
        return text
    try:
        return from_json(text)
    except ValueError:
        return text


def _refusal(schema: Schema, detail: ErrorDetails, secrets: frozenset[str]) -> Refusal:
    location = detail["loc"]
    match detail["type"]:
        case "extra_forbidden":
            return location, suggestion(schema, location)
        case "missing":
            return location, "is missing"
    if location[-1] == "[key]" and location[-2] == detail["input"]:  # the key of a mapping, not its value
        location = location[:-2]
        found = schema_at(schema, location)["propertyNames"]
    else:
        found = schema_at(schema, location)
    secret = location[0] in secrets or "writeOnly" in found or "writeOnly" in found.get("items", {})
    return location, ("" if secret else _shown(detail["input"])) + f"must be {allowed(found)}"


def _contradictions(settings: Model) -> Iterator[Refusal]:
    """Yield the first contradiction of each value."""
    values = settings.model_dump(mode="json", by_alias=True)
    problems: dict[Location, str] = {}
    for location, problem in settings.all_contradictions():
        problems.setdefault(location, problem)
    for location, problem in problems.items():
        found: Any = values
        for part in location:
            found = found[part]
        yield location, _shown(found) + problem


def _key(location: Location) -> str:
    """Return a location as `pulumi config set --path` takes it."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location).removeprefix(".")


def _shown(value: object) -> str:
    """Return a scalar value as one short line, without credentials; nothing for anything larger."""
    if value is None or isinstance(value, dict | list):
        return ""
    text = re.sub(r"//[^/@\s]*@", "//…@", json.dumps(value, ensure_ascii=False))
    return (text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]}…") + " "


def _printable(line: str) -> str:
    """Return a line with everything escaped that would break it, or be invisible."""
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in line)
