"""What a stack file can contain, read from pydantic's JSON schema: its keys, and what each of them allows."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from pydantic import BaseModel

from components.settings.model import Location

Schema = Mapping[str, Any]


@cache
def schema_of(model: type[BaseModel]) -> Schema:
    """Return a model's JSON schema, with its references and optional values resolved."""
    document = model.model_json_schema()

    def resolved(node: Any) -> Any:
        if isinstance(node, list):
            return [resolved(item) for item in node]
        if not isinstance(node, dict):
            return node
        node = dict(node)
        if reference := node.pop("$ref", None):
            node = {**document["$defs"][reference.rpartition("/")[2]], **node}
        for alternative in node.pop("anyOf", []):
            node = {**alternative, **node} if alternative != {"type": "null"} else node
        return resolved(node) if "$ref" in node else {key: resolved(value) for key, value in node.items()}

    found: Schema = resolved({key: value for key, value in document.items() if key != "$defs"})
    return found


def schema_at(schema: Schema, location: Location) -> Schema:
    """Return the schema of a location."""
    for part in location:
        if isinstance(part, int):
            schema = schema["items"]
        elif "properties" in schema:
            schema = schema["properties"][part]
        else:
            # A mapping; pydantic describes it either way, depending on the constraint of its keys.
            (schema,) = schema.get("patternProperties", {}).values() or [schema["additionalProperties"]]
    return schema


def allowed(schema: Schema) -> str:
    """Return what a value allows, as it follows "must be"."""
    match schema:
        case {"allowed": str(words)}:
            return words
        case {"enum": [*others, last]}:
            return f"{', '.join(others)} or {last}"
        case {"const": only}:
            return str(only)
        case {"type": "boolean"}:
            return "true or false"
        case {"type": "integer", "minimum": low, "maximum": high}:
            return f"a whole number from {low:,} to {high:,}"
        case {"type": "number", "minimum": low, "maximum": high}:
            return f"a number from {low:,} to {high:,}"
        case {"type": "array", "items": items}:
            return f"a list, each item {allowed(items)}"
        case {"type": "object", "properties": keys}:
            return f"a mapping with some of the keys {', '.join(keys)}"
    raise TypeError(f"no words for {schema}: add `allowing` to its type")
