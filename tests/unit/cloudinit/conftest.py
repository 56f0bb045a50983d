"""Golden files: what is rendered, so that a change of it is seen in review."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from difflib import unified_diff
from pathlib import Path

import pytest
import yaml

import cloudinit
from cloudinit import Family
from tests.unit.cloudinit.guest_examples import parse

GOLDEN = Path(__file__).parent / "golden"
SOURCES = Path(cloudinit.__file__).parent / "files"
VERBATIM = {path.read_text() for path in SOURCES.rglob("*.*") if path.suffix not in (".j2", ".pyc")}

Render = Callable[[Family], str]


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """Compare a text with the golden file of a name; with --update-golden write the file."""

    def compare(name: str, text: str) -> None:
        path = GOLDEN / name
        if request.config.getoption("--update-golden"):
            path.write_text(text, encoding="utf-8")
        assert text == path.read_text(encoding="utf-8"), (
            f"{name} renders differently; if that is intended: pytest tests/unit --update-golden"
        )

    return compare


def outline(render: Render, base: Render | None) -> str:
    """Return what a guest adds to its base or changes in it, both families together.

    Rendered files stand with their text, or with what is different in it; verbatim ones with their digest.
    """
    blocks: dict[str, dict[str, list[str]]] = {}
    for family in Family:
        document, known = _parts(render(family)), _parts(base(family)) if base else {}
        for part in {**known, **document}:
            text, before = document.get(part, " removed"), known.get(part)
            if text != before:
                if before:
                    difference = unified_diff(before.splitlines(), text.splitlines(), n=0, lineterm="")
                    text = "\n".join(["", *list(difference)[2:]])
                blocks.setdefault(part, {}).setdefault(text.rstrip("\n"), []).append(family)
    return "".join(
        f"==== {part}{'' if len(families) == len(Family) else f' ({families[0]})'}{text}\n"
        for part, texts in blocks.items()
        for text, families in texts.items()
    )


def _parts(user_data: str) -> dict[str, str]:
    """Return a document's files by mode and path, and its other keys."""
    document = parse(user_data)
    files = document.pop("write_files")
    parts = {key: "\n" + yaml.safe_dump(value, sort_keys=False, width=10_000) for key, value in document.items()}
    for file in files:
        text = file["content"]
        digest = f" sha256:{hashlib.sha256(text.encode()).hexdigest()[:12]}"
        parts[f"{file['permissions']} {file['path']}"] = digest if text in VERBATIM else f"\n{text}"
    return parts
