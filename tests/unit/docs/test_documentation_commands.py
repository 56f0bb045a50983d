"""Every command that the documents show is run by a test, or marked as not run."""

from __future__ import annotations

from itertools import chain

import pytest

from lab.config import PROJECT
from tests.documented_commands import DOCUMENTS, ELSEWHERE, EXAMPLES, Command, commands

SHOWN = [*chain.from_iterable(commands(document) for document in DOCUMENTS)]
MARK = 'say "not run here" or "no test runs it" in its paragraph, or name the test that does the same in ELSEWHERE'


@pytest.mark.parametrize("place", sorted(set(ELSEWHERE.values())))
def test_what_is_said_to_try_a_command_is_there(place: str) -> None:
    path, _, name = place.partition("::")
    assert name in (PROJECT / path).read_text()


def test_no_command_is_listed_that_no_document_shows() -> None:
    assert set(ELSEWHERE) - {command.text for command in SHOWN} == set()


@pytest.mark.parametrize("command", [one for one in SHOWN if one.runs_on_the_lab], ids=str)
def test_what_the_lab_has_to_run_is_whole(command: Command) -> None:
    text = command.text
    for name in EXAMPLES:
        text = text.replace(name, "")
    # `$(...)` and `2>` are the shell's; a word in angle brackets or an ellipsis can't be typed.
    assert "..." not in text, MARK
    assert not any("<" in word and ">" in word for word in text.split()), MARK
    assert not text.startswith(("minikube", "kind", "virtctl", "helm", "git")), MARK


def test_commands_are_found_in_blocks_and_in_text_and_marks_are_seen() -> None:
    readme = commands(PROJECT / "README.md")
    assert any(one.in_block and one.runs_on_the_lab and one.shown for one in readme)
    assert any(not one.in_block and one.runs_on_the_lab for one in readme)
    assert [one.text for one in readme if one.not_run and "openshift" in one.text]
