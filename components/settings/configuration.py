"""From a stack's configuration to its settings: every mistake is told in one line, and all of them together."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pulumi
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from components.settings.stack import Settings
from components.settings.unknown_keys import hint

LONGEST_VALUE = 60
Location = tuple[str | int, ...]


def load() -> Settings:
    """Return the settings of the stack that is being deployed.

    Raises:
        pulumi.RunError: the configuration has mistakes; the message has a line for each.
    """
    prefix = f"{pulumi.get_project()}:"
    raw = {
        key.removeprefix(prefix): value
        for key, value in pulumi.runtime.config.CONFIG.get().items()
        if key.startswith(prefix)
    }
    secrets = frozenset(key for key in raw if pulumi.runtime.is_config_secret(prefix + key))
    return parse(raw, secrets, prefix)


def parse(raw: Mapping[str, str], secrets: frozenset[str] = frozenset(), prefix: str = "multi-tier:") -> Settings:
    """Return the settings in a stack's configuration.

    Args:
        raw: top-level keys without the prefix, and values as the engine gives them: text, or JSON for an object.
        secrets: the keys whose values are encrypted in the stack file and must not be shown.
        prefix: what the keys begin with in the stack file.

    Raises:
        pulumi.RunError: the configuration has mistakes; the message has a line for each.
    """
    encrypted = "is encrypted, but no setting is secret: give it in plain text"
    refusals = [Refusal((key,), encrypted) for key in secrets]
    remaining = {key: _value(key, text) for key, text in raw.items()}
    while True:
        try:
            settings = Settings.model_validate(remaining, strict=True, by_alias=True, by_name=False)
            break
        except ValidationError as error:
            # What is wrong by itself is left out, so that the rest can still be checked.
            details = error.errors(include_url=False)
        # What was left out for being wrong is not missing besides.
        told = {refusal.location for refusal in refusals}
        refusals += [_refusal(detail, secrets) for detail in details if detail["loc"] not in told]
        for detail in details:
            _leave_out(remaining, detail["loc"])
    refusals += _contradictions(settings, refusals)
    if refusals:
        lines = sorted(f"{_printable(prefix + refusal.key)}: {refusal.problem}" for refusal in refusals)
        count = "a mistake" if len(lines) == 1 else f"{len(lines)} mistakes"
        raise pulumi.RunError("\n  ".join([f"The stack's configuration has {count}; nothing was changed.", *lines]))
    return settings


@dataclass(frozen=True, slots=True)
class Refusal:
    """A mistake in a stack's configuration.

    Attributes:
        location: the keys on the way to what is wrong.
        problem: what is wrong, as it follows the key.
    """

    location: Location
    problem: str

    @property
    def key(self) -> str:
        """The dotted key, as `pulumi config set --path` takes it."""
        return ".".join(str(part) for part in self.location)


def _value(key: str, text: str) -> object:
    """Return a top-level value as the settings take it; what can't be read stays text, to be refused by its type."""
    field = next((field for field in Settings.model_fields.values() if field.alias == key), None)
    if field is None or field.annotation is str:
        return text
    try:
        return json.loads(text)
    except ValueError:
        return text


def _refusal(detail: ErrorDetails, secrets: frozenset[str]) -> Refusal:
    location = detail["loc"]
    value = "" if location[0] in secrets else _shown(detail["input"])
    match detail["type"]:
        case "extra_forbidden":
            return Refusal(location, hint(location))
        case "missing":
            return Refusal(location, "is missing")
        case "value_error":
            return Refusal(location, f"{value}{detail['ctx']['error']}")
        case _:
            return Refusal(location, value + hint((*location, "")))


def _contradictions(settings: Settings, refusals: list[Refusal]) -> Iterator[Refusal]:
    """Yield the contradictions among values that are right by themselves."""
    refused = [refusal.key for refusal in refusals]
    values = settings.model_dump(by_alias=True)

    def is_refused(key: str) -> bool:
        return any(key == other or key.startswith(f"{other}.") or other.startswith(f"{key}.") for other in refused)

    for contradiction in settings.contradictions():
        if not any(is_refused(key) for key in contradiction.keys):
            location = tuple(contradiction.keys[0].split("."))
            yield Refusal(location, _shown(_lookup(values, location)) + contradiction.problem)


def _leave_out(tree: dict[str, Any], location: Location) -> None:
    """Remove what is at the location; of a key that is missing, the object that lacks it."""
    *path, last = location
    holder = _lookup(tree, tuple(path))
    if isinstance(holder, dict) and last in holder:
        del holder[last]
    elif path:
        _leave_out(tree, tuple(path))


def _lookup(tree: Mapping[str, Any], location: Location) -> object:
    """Return what is at the location, or None."""
    found: object = tree
    for part in location:
        found = found.get(part) if isinstance(found, dict) else None
    return found


def _shown(value: object) -> str:
    """Return a scalar value as one short line, and nothing for anything larger."""
    if value is None or isinstance(value, dict | list | tuple):
        return ""
    text = json.dumps(value, ensure_ascii=False)
    return (text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]}…") + " "


def _printable(key: str) -> str:
    return key if key.isprintable() else json.dumps(key)
