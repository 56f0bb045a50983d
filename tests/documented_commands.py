"""The commands that the documents show, and for each one how it is known to work.

A command is a line after `$ ` in a `console` block, a line of a `sh` block, or a text in backquotes that begins with
one of PROGRAMS. Its paragraph or the one before its block may say NOT_RUN, the first one of its page NOTHING_RUN. Any
other is run as it stands on a lab, by tests/lab/test_documented_commands.py, unless ELSEWHERE names the test that does
what it does.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from lab.config import PROJECT

# Decisions and the changelog are records, not instructions.
DOCUMENTS = [
    PROJECT / "README.md",
    PROJECT / "CONTRIBUTING.md",
    *sorted((PROJECT / "docs").glob("*.md")),
    *sorted((PROJECT / "docs" / "users").glob("*.md")),
]
PROGRAMS = (
    "curl",
    "git",
    "helm",
    "journalctl",
    "kind",
    "kubectl",
    "make",
    "minikube",
    "pulumi",
    "sh",
    "virtctl",
    ".venv/bin/python",
)
NOT_RUN = re.compile(r"\bnot run here\b|\bno test runs (it|this|them|these)\b", re.I)
NOTHING_RUN = re.compile(r"\*\*Not run here")  # said of a whole page
SHELL = ("console", "sh", "bash", "shell")

CI = ".ci/run::make test"
_CHECKS = "Makefile::test: check"
_UP = "tests/lab/test_stack_life.py::test_all_machines_are_ready_when_up_returns"
_DESTROY = "tests/lab/test_stack_life.py::test_destroy_leaves_nothing_in_the_api_on_the_disk_or_in_the_kernel"
_DOWN = "tests/lab/test_recovery.py::test_the_end_leaves_nothing_even_when_everything_was_killed"
_INTERRUPTED = (
    "tests/lab/test_recovery.py::test_an_interrupted_up_can_be_run_again_and_guests_install_what_their_image_lacks"
)
_PREVIEW = "tests/lab/test_preview.py::test_an_unchanged_program_changes_no_stack"
_POLICY = "tests/lab/test_policy.py::test_every_stack_of_the_project_passes"
_ACCESS = "tests/lab/test_access.py::test_a_stack_in_a_given_namespace_lives_from_preview_to_destroy"
_ACCESS_TO_CLUSTER = "tests/lab/test_access.py::test_a_stack_that_makes_its_namespace_lives_from_preview_to_destroy"
_SSH = "tests/lab/test_guests.py::test_the_named_user_logs_in_with_the_key_and_may_use_sudo"
_SSH_COMMAND = (
    """ssh ann@"$(kubectl get vmi -n multi-tier multi-tier-web-0 -o jsonpath='{.status.interfaces[0].ipAddress}')\""""
)
# Commands as they are written, and where what they do is tried: a test, or a line of a file that CI runs.
ELSEWHERE = {
    "make test": CI,
    "make check": _CHECKS,
    "make install": "Makefile::check: install",
    "make unit": "pyproject.toml::tests/unit",
    "make lab-down": _DOWN,
    "pulumi up": _UP,
    "pulumi destroy": _DESTROY,
    "pulumi refresh --stack lab --yes --clear-pending-creates": _INTERRUPTED,
    ".venv/bin/python -m measure": "tests/lab/test_measure.py::test_what_was_asked_for_is_sent_and_answered",
    ".venv/bin/python -m lab": "tests/lab/test_recovery.py::test_status_names_what_does_not_run_and_how_to_look",
    "make preview": _PREVIEW,
    "make preview BASE=main": _PREVIEW,
    "make preview-down": _PREVIEW,
    ".venv/bin/python -m preview show --base main --stack lab --stack scaled": _PREVIEW,
    ".venv/bin/python -m preview show --base main --output report.md": _PREVIEW,
    ".venv/bin/python -m preview show --base main --project ../other": _PREVIEW,
    "make policy": "Makefile::check-policy: policy",
    "make check-policy": "Makefile::test: check check-policy",
    "pulumi preview --stack lab --policy-pack policy": _POLICY,
    "pulumi preview --stack lab --policy-pack policy --policy-pack-config policy/levels.json": (
        "tests/lab/test_policy.py::test_a_rule_can_be_made_advisory"
    ),
    "pulumi preview": _POLICY,
    "kubectl create namespace multi-tier": _ACCESS,
    "kubectl apply -f deploy/access-in-namespace.yaml": _ACCESS,
    "deploy/kubeconfig.sh multi-tier ci.kubeconfig 24h": _ACCESS,
    "kubectl apply -f deploy/access-to-cluster.yaml": _ACCESS_TO_CLUSTER,
    "deploy/kubeconfig.sh multi-tier-access ci.kubeconfig 24h": _ACCESS_TO_CLUSTER,
    "pulumi config set --path ssh.user ann": _SSH,
    """pulumi config set --path 'ssh.authorizedKeys[0]' "$(cat ~/.ssh/id_ed25519.pub)\"""": _SSH,
    _SSH_COMMAND: _SSH,
}
# What a reader puts in for a word in angle brackets.
EXAMPLES = {"<vm>": "multi-tier-web-0"}


@dataclass(frozen=True, slots=True)
class Command:
    """One command of a document.

    Attributes:
        document: the file, from the project's directory.
        line: its line there.
        text: what is typed; a command of several lines keeps them.
        not_run: whether the document says so.
        in_block: whether it is typed after what stands before it in the document, and not just named.
        shown: the lines that the document shows as its output.
    """

    document: str
    line: int
    text: str
    not_run: bool
    in_block: bool = True
    shown: list[str] = field(default_factory=list, compare=False)

    @property
    def runs_on_the_lab(self) -> bool:
        """Whether the test on the lab has to run it."""
        return not self.not_run and self.text not in ELSEWHERE

    def __str__(self) -> str:
        return f"{self.document}:{self.line}: {self.text}"


def commands(document: Path) -> list[Command]:
    """Return a document's commands in their order."""
    lines = document.read_text().splitlines()
    name = str(document.relative_to(PROJECT))
    whole_page = bool(NOTHING_RUN.search(_first_paragraph(lines)))
    found: list[Command] = []
    block: str | None = None  # the language of the block that this line is in
    marked = False
    for index, line in enumerate(lines):
        if line.lstrip().startswith("```"):
            block = line.strip("` ") or "text" if block is None else None
            marked = whole_page or bool(NOT_RUN.search(_paragraph(lines, index - 1)))
        elif block is None:
            not_run = whole_page or bool(NOT_RUN.search(_paragraph(lines, index)))
            found += [Command(name, index + 1, text, not_run, in_block=False) for text in _in_backquotes(line)]
        elif block == "console":
            if line.startswith("$ "):
                found.append(Command(name, index + 1, line[2:], marked))
            elif found and line.strip() not in ("", "..."):
                found[-1].shown.append(line)
        elif block in SHELL and line.strip() and not line.lstrip().startswith("#"):
            found.append(Command(name, index + 1, re.sub(r"\s{2,}# .*", "", line), marked))
    return found


def _in_backquotes(line: str) -> list[str]:
    texts = (text.strip() for text in re.findall(r"`([^`]+)`", line))
    return [text for text in texts if " " in text and text.split()[0] in PROGRAMS]


def _first_paragraph(lines: list[str]) -> str:
    after_title = next((index + 1 for index, line in enumerate(lines) if line.startswith("# ")), 0)
    first = next((index for index in range(after_title, len(lines)) if lines[index].strip()), 0)
    return _paragraph(lines, first)


def _paragraph(lines: list[str], index: int) -> str:
    """Return the paragraph, or the table's row, that a line is in; for a blank line, the one before it."""
    while index >= 0 and not lines[index].strip():
        index -= 1
    if index < 0 or lines[index].startswith(("|", "```")):
        return lines[index] if index >= 0 else ""
    begin = end = index
    while begin > 0 and lines[begin - 1].strip() and not lines[begin - 1].startswith(("|", "```")):
        begin -= 1
    while end + 1 < len(lines) and lines[end + 1].strip() and not lines[end + 1].startswith(("|", "```")):
        end += 1
    return " ".join(lines[begin : end + 1])
