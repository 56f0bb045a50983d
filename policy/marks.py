"""Which values the program has marked as secret: the engine tells, and pulumi_policy doesn't tell the rules.

The engine sends a resource's inputs with a mark at every secret. The library takes the marks off before a rule that
validates sees the inputs, and has no option to leave them. So the one function that does it is replaced;
tests/test_pack.py asks the real library over its own protocol whether that still works.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from pulumi_policy import deserialize, proxy
from pulumi_policy import policy as library

from rules.manifest import UNKNOWN, Marked

_UNKNOWNS = frozenset(value for name, value in vars(proxy).items() if name.startswith("UNKNOWN_"))


def keep_marks() -> None:
    """Let rules see what is secret and what is not known yet, instead of plain values and an exception."""
    library.deserialize_properties = _inputs  # type: ignore[attr-defined, assignment]


def _inputs(properties: dict[str, Any], proxy_secrets: bool = False) -> Mapping[str, Any]:
    if proxy_secrets:  # for a remediation
        return deserialize.deserialize_properties(properties, proxy_secrets)
    # The library wraps a dict, to raise where something unknown is read. Rules here pass over that by themselves.
    return MappingProxyType({key: tree(value) for key, value in properties.items()})


def tree(value: Any) -> Any:
    """Return a value of the engine's with its secrets and unknowns told apart."""
    if isinstance(value, dict):
        if value.get(deserialize.SPECIAL_SIG_KEY) == deserialize.SPECIAL_SECRET_SIG:
            return Marked(tree(value.get("value")))
        return {key: tree(item) for key, item in value.items()}
    if isinstance(value, list):
        return [tree(item) for item in value]
    return UNKNOWN if isinstance(value, str) and value in _UNKNOWNS else value
