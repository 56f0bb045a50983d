"""Text that the change can choose, as Markdown in which nothing of it is interpreted."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator

_PLAIN = re.compile(r"[A-Za-z0-9]+(-[A-Za-z0-9]+)*")
_LINE_BREAK = re.compile(r"\r\n|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]")


def name(text: str) -> str:
    """Return a name: as it is if that is harmless, else as inline code."""
    return text if _PLAIN.fullmatch(text) else code(text)


def code(text: str) -> str:
    """Return any text as inline code."""
    line = _visible(_LINE_BREAK.sub("⏎", text)) or " "
    fence = _fence(line, 1)
    space = " " if line.startswith("`") or line.endswith("`") else ""
    return f"{fence}{space}{line}{space}{fence}"


def cell(text: str) -> str:
    """Return a name for a cell of a table."""
    return name(text).replace("|", "\\|")


def block(text: str, language: str = "text") -> list[str]:
    """Return any text as a code block."""
    fence = _fence(text, 3)
    return [f"{fence}{language}", *(_visible(line) for line in _LINE_BREAK.split(text.rstrip("\n"))), fence]


def folded(title: str, lines: Iterable[str], indent: str = "") -> Iterator[str]:
    """Yield lines that a reader has to unfold."""
    yield from (f"{indent}<details><summary>{title}</summary>", "", *lines, "", f"{indent}</details>")


def _fence(text: str, shortest: int) -> str:
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    return "`" * max(shortest, longest + 1)


def _visible(line: str) -> str:
    """Return a line with control and formatting characters, which can hide or reorder text, as escapes."""
    hidden = {one for one in line if unicodedata.category(one) in ("Cc", "Cf") and one != "\t"}
    return line.translate({ord(one): one.encode("unicode_escape").decode() for one in hidden})
