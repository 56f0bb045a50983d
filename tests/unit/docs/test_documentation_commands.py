"""Every command in the documents is run by a test or listed as not run, and each page's badge says which."""

from __future__ import annotations

import re
from itertools import chain
from pathlib import Path

import pytest

from lab.config import PROJECT
from tests.documented_commands import DOCUMENTS, ELSEWHERE, EXAMPLES, WHAT_WAS_RUN, Command, commands, not_run

DOCS = WHAT_WAS_RUN.parent
SHOWN = [*chain.from_iterable(commands(document) for document in DOCUMENTS)]
FIX = "list it in docs/what-was-run.md, or name the test that covers it in ELSEWHERE"
PAGES = [path for path in DOCUMENTS if path.is_relative_to(DOCS)]
CAPABILITIES = [
    [cell.strip() for cell in row.strip("|").split(" |")]
    for row in WHAT_WAS_RUN.read_text().partition("## By capability\n")[2].partition("\n## ")[0].splitlines()[3:]
    if row
]


def badge(page: Path) -> str | None:
    """Return the state that the tables give a page; None if they don't mention it and it shows no command."""
    rows = [row for row in CAPABILITIES if f"]({page.relative_to(DOCS)})" in row[3]]
    shown = [one.is_tested for one in commands(page)]
    tested = any(row[1] for row in rows) or any(shown)
    untested = any(row[2] for row in rows) or not all(shown)
    if tested and untested:
        return "Partly tested"
    return "Tested" if tested else "Not run" if untested else None


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_a_pages_badge_is_what_the_tables_give_it(page: Path) -> None:
    (above, state) = ("../" if page.parent != DOCS else "", badge(page))
    found = re.findall(r"^\*\*(.+)\*\* · \[what was run\]\((.+)\)$", page.read_text(), re.M)
    assert found == ([(state, f"{above}what-was-run.md")] if state else [])


@pytest.mark.parametrize("place", sorted(set(ELSEWHERE.values())))
def test_what_covers_a_command_exists(place: str) -> None:
    path, _, name = place.partition("::")
    assert name in (PROJECT / path).read_text()


def test_every_listed_command_is_shown_by_a_document() -> None:
    assert set(ELSEWHERE) - {command.text for command in SHOWN} == set()


@pytest.mark.parametrize("subject", not_run())
def test_what_is_listed_as_not_run_still_holds_a_command(subject: str) -> None:
    assert any(subject in command.subjects and command.text not in ELSEWHERE for command in SHOWN)


@pytest.mark.parametrize("command", [one for one in SHOWN if one.runs_on_the_lab], ids=str)
def test_what_the_lab_runs_can_be_typed_as_it_is(command: Command) -> None:
    text = command.text
    for name in EXAMPLES:
        text = text.replace(name, "")
    # `$(...)` and `2>` belong to the shell; a placeholder or an ellipsis can't be typed.
    assert "..." not in text, FIX
    assert not any("<" in word and ">" in word for word in text.split()), FIX
    assert not text.startswith(("minikube", "kind", "virtctl", "helm", "git", "python ")), FIX


def test_commands_are_found_in_blocks_and_in_text_and_the_list_applies_to_them() -> None:
    readme = commands(PROJECT / "README.md")
    assert any(one.in_block and one.runs_on_the_lab and one.shown for one in readme)
    shown = commands(DOCS / "troubleshooting.md")
    assert any(not one.in_block and one.runs_on_the_lab for one in shown)
    assert any(one.text == "pulumi cancel" and not one.runs_on_the_lab for one in shown)
    assert not any(one.runs_on_the_lab for one in commands(DOCS / "laptop.md"))
