"""What the engine and the program report about a preview: errors and warnings."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

# "  multi-tier:web.memory: ...": the program reports each invalid setting on a line of its own.
_INVALID_SETTING = re.compile(r"^(?P<key>\s*[\w-]+:[\w.\[\]-]+): ", re.MULTILINE)
_PREFIX = re.compile(r'^(Preview failed: |before hook "[^"]*" failed: )+')
_URN = re.compile(r'resource "urn:[^"]*::([^":]+)"')


def warnings(digest: Mapping[str, Any]) -> list[str]:
    """Return the distinct warnings of a preview, and what a program that did not fail wrote to standard error."""
    written = "" if digest.get("refusals") else _written(digest)
    found = (text.strip() for severity, text in _messages(digest) if severity == "warning")
    return list(dict.fromkeys(text for text in (*found, written) if text))


def has_errors(digest: Mapping[str, Any]) -> bool:
    """Whether the engine, a provider or the program reported an error."""
    return any(severity == "error" for severity, _ in _messages(digest))


def refusals(digest: Mapping[str, Any]) -> list[str]:
    """Return the distinct reasons why a preview failed: the program's output, then the engine's and its providers'."""
    found = list(dict.fromkeys(text.strip() for severity, text in _messages(digest) if severity == "error"))
    reasons = [text for text in found if text != "preview failed"]
    return [text for text in (_written(digest), *(reasons or found)) if text]


def _written(digest: Mapping[str, Any]) -> str:
    """Return the program's standard error, which arrives in pieces."""
    return "".join(text.rstrip("\n") + "\n" for severity, text in _messages(digest) if severity == "info#err").strip()


def _messages(digest: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for one in digest.get("diagnostics") or ():
        yield one["severity"], one["message"].removeprefix("error: ").removeprefix("warning: ")


def shortened(message: str) -> str:
    """Return a message with the names of resources in place of their URNs, and without the engine's prefixes."""
    return _PREFIX.sub("", _URN.sub(r"\1", message))


def with_lines(message: str, name: str, text: str) -> str:
    """Return a message with file and line after each invalid setting that the stack file contains.

    Args:
        message: The program's output.
        name: Name of the stack file in the report.
        text: Content of the stack file.
    """
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError:
        return message

    def located(found: re.Match[str]) -> str:
        line = _line(root, found["key"].strip())
        return f"{found['key']} ({name}, line {line}): " if line else found[0]

    return _INVALID_SETTING.sub(located, message)


def _line(root: yaml.Node | None, setting: str) -> int | None:
    """Return the line of a setting or of its closest parent in the file, None if the file has neither."""
    first, *rest = setting.replace("[", ".[").split(".")
    node, line = root, None
    for depth, key in enumerate(("config", first, *rest)):
        pairs = node.value if isinstance(node, yaml.MappingNode) else ()
        found = next((pair for pair in pairs if pair[0].value == key), None)
        if found is None:
            break
        node = found[1]
        line = found[0].start_mark.line + 1 if depth else None
    return line
