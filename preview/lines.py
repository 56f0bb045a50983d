"""Where in a stack's file a setting stands that is refused."""

from __future__ import annotations

import re

import yaml

# "  multi-tier:web.memory: ..." in the program's own words: it names the settings that are wrong, a line each.
_REFUSED = re.compile(r"^(?P<key>\s*[\w-]+:[\w.-]+): ", re.MULTILINE)


def with_lines(message: str, name: str, text: str) -> str:
    """Return a refusal with the file and the line after each setting that stands in the file.

    Args:
        message: what the program said.
        name: how the report calls the stack's file.
        text: what is in the file.
    """
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError:
        return message

    def located(found: re.Match[str]) -> str:
        line = _line(root, found["key"].strip())
        return f"{found['key']} ({name}, line {line}): " if line else found[0]

    return _REFUSED.sub(located, message)


def _line(root: yaml.Node | None, setting: str) -> int | None:
    """Return the line of a setting, or of the closest one that holds it; None where nothing of it stands there."""
    first, *rest = setting.split(".")
    node, line = root, None
    for depth, key in enumerate(("config", first, *rest)):
        found = _entry(node, key)
        if found is None:
            break
        node = found[1]
        line = found[0].start_mark.line + 1 if depth else None
    return line


def _entry(node: yaml.Node | None, key: str) -> tuple[yaml.Node, yaml.Node] | None:
    pairs = node.value if isinstance(node, yaml.MappingNode) else ()
    return next((pair for pair in pairs if pair[0].value == key), None)
