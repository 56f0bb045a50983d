"""The documents' commands, run page by page as a reader would type them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import pytest

from lab.config import PROJECT
from tests.documented_commands import DOCUMENTS, EXAMPLES, Command, commands
from tests.lab.stack import Stack

# Its blocks show what is printed when something is wrong.
SHOWS_FAILURES = "docs/troubleshooting.md"
SHOWS_FIRST_TIME = "make lab"
# What exits with 0 or 1 by how busy this machine is: a comparison of short runs, a gate on their latency, their limit.
JUDGES = re.compile(r"-m measure (compare|run .*(--gate total\.p99|--profile stress))")
OF_THE_LAB = ("MULTI_TIER_", "PULUMI_", "KUBECONFIG")
MARK = "@@@"
PAGES = {
    str(document.relative_to(PROJECT)): shown
    for document in DOCUMENTS
    if (shown := [one for one in commands(document) if one.in_block and one.runs_on_the_lab])
}
NAMED = {
    one.text: one
    for one in chain.from_iterable(commands(document) for document in DOCUMENTS)
    if not one.in_block and one.runs_on_the_lab
}


@pytest.fixture(scope="module")
def checkout(stack: Stack, project_copy: Path) -> Iterator[Path]:
    """A copy of the project with the tests' lab as its `.lab`."""
    (project_copy / ".lab").symlink_to(stack.lab.root)
    shutil.copy(stack.configuration, project_copy / "stacks" / "Pulumi.lab.yaml")
    yield project_copy
    stack.up()  # pages change the stack


def typed(checkout: Path, shown: list[Command]) -> list[tuple[Command, int, str]]:
    """Type commands into one shell; return each with its exit code and what it printed."""
    script = ""
    for number, command in enumerate(shown):
        text = command.text
        for name, example in EXAMPLES.items():
            text = text.replace(name, example)
        # The exit code stays for a following `echo $?`; standard input is nobody's.
        script += f"{{ {text}\n}} </dev/null; code=$?; printf '\\n{MARK} {number} %s\\n' $code; (exit $code)\n"
    environment = {name: value for name, value in os.environ.items() if not name.startswith(OF_THE_LAB)}
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=checkout,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=600,
        check=False,
    )
    parts = re.split(rf"\n{MARK} (\d+) (\d+)\n", done.stdout)
    results = zip(parts[0::3], parts[1::3], parts[2::3], strict=False)
    return [(shown[int(number)], int(code), said) for said, number, code in results]


def words(line: str) -> set[str]:
    """Return a line's words, without what differs from one time to the next."""
    return set(re.findall(r"(?<![\w.-])[A-Za-z]{4,}(?![\w.-])", line))


@pytest.mark.parametrize("page", PAGES)
def test_a_pages_commands_print_what_the_page_shows(checkout: Path, page: str) -> None:
    shown = PAGES[page]
    results = typed(checkout, shown)
    assert [command for command, _, _ in results] == shown
    asks_for_code = {shown[index] for index in range(len(shown) - 1) if shown[index + 1].text == "echo $?"}
    for (command, code, said), before in zip(results, [None, *shown], strict=False):
        if before and command.text == "echo $?":
            expected = {"0", "1"} if JUDGES.search(before.text) else {command.shown[0]}
            assert said.strip() in expected, f"{command}: {said}"
            continue
        allowed = (0, 1) if JUDGES.search(command.text) else (0,)
        assert code in allowed or command in asks_for_code, f"{command}:\n{said}"
        if page != SHOWS_FAILURES and command.text != SHOWS_FIRST_TIME:
            shown_lines = [line for line in command.shown if not (code and line.startswith("PASSED: "))]
            missing = {word for line in shown_lines for word in words(line)} - words(said)
            assert not missing, f"{command} shows {sorted(missing)}, and printed:\n{said}"


@pytest.mark.parametrize("command", NAMED.values(), ids=str)
def test_a_command_that_a_page_mentions_succeeds(checkout: Path, command: Command) -> None:
    # As everywhere in the documents, the lab's settings are in the shell.
    settings = Command("README.md", 0, ". .lab/env")
    (_, code, said) = typed(checkout, [settings, command])[-1]
    assert code == 0, f"{command}:\n{said}"
