"""The commands that the documents show, and how each one is known to work.

A command is a line after `$ ` in a `console` block, a line of a `sh` block, or text in backquotes that starts with one
of PROGRAMS. docs/what-was-run.md lists the commands, sections and pages that no test runs. Every other command is run
verbatim on a lab by tests/lab/test_documented_commands.py, unless ELSEWHERE names the test that covers it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from lab.config import PROJECT

WHAT_WAS_RUN = PROJECT / "docs" / "what-was-run.md"
# Decisions, the changelog and the list of what was run are records, not instructions.
DOCUMENTS = [
    PROJECT / "README.md",
    PROJECT / "CONTRIBUTING.md",
    *sorted(path for path in (PROJECT / "docs").glob("*.md") if path != WHAT_WAS_RUN),
    *sorted((PROJECT / "docs" / "users").glob("*.md")),
]
PROGRAMS = (
    "curl",
    "git",
    "helm",
    "kind",
    "kubectl",
    "make",
    "minikube",
    "pulumi",
    "sh",
    "virtctl",
    ".venv/bin/python",
)
SHELL = ("console", "sh", "bash", "shell")

CI = '.ci/run::make test test-machines MACHINES="not reboots"'
_CHECKS = "Makefile::test: check"
_UP = "tests/lab/test_stack_life.py::test_up_returns_when_all_machines_are_ready"
_DESTROY = "tests/lab/test_stack_life.py::test_destroy_leaves_nothing_in_the_api_on_disk_or_in_the_kernel"
_DOWN = "tests/lab/test_recovery.py::test_stopping_a_killed_lab_leaves_nothing"
_INTERRUPTED = "tests/lab/test_recovery.py::test_a_killed_up_is_resolved_and_guests_install_missing_packages"
_PREVIEW = "tests/lab/test_preview.py::test_an_unchanged_program_changes_no_stack"
_POLICY = "tests/lab/test_policy.py::test_every_stack_of_the_project_passes"
_ACCESS = "tests/lab/test_access.py::test_a_stack_runs_in_an_existing_namespace"
_ACCESS_TO_CLUSTER = "tests/lab/test_access.py::test_a_stack_runs_in_a_namespace_it_creates"
_STORAGE = "tests/lab/test_public_run.py::test_kinds_storage_is_described_once_cdi_has_its_profile"
_REPAIRED = "tests/lab/test_recovery.py::test_a_deleted_object_and_a_guest_with_a_failed_unit_are_repaired"
_DEPLOY = "tests/lab/test_public_run.py::test_deploy_brings_up_three_machines_and_sends_a_request"
_RIGHTS = "tests/lab/test_access.py::test_the_rights_are_those_that_the_page_shows"
_CLONE = "tests/lab/test_access.py::test_a_clone_of_a_golden_image_is_allowed_as_the_page_shows"
_SSH = "tests/lab/test_guests.py::test_the_configured_user_logs_in_with_the_key_and_uses_sudo"
_SSH_COMMAND = (
    """ssh ann@"$(kubectl get vmi -n multi-tier multi-tier-web-0 -o jsonpath='{.status.interfaces[0].ipAddress}')\""""
)
# Commands as written, and what covers them: a test, or a line of a file that CI runs.
ELSEWHERE = {
    "make test": CI,
    "make test-machines": CI,
    'make test-machines MACHINES="not reboots"': CI,
    "make check": _CHECKS,
    "make install": "Makefile::check: install",
    "make unit": "pyproject.toml::tests/unit",
    "make lab-down": _DOWN,
    "make lab GUESTS=machines": "tests/machines/test_life.py::test_no_request_fails_in_a_minute_of_load",
    "make lab GUESTS=simulated": "tests/lab/test_simulated_guests.py::test_the_stack_is_ready_and_said_to_be_simulated",
    "pulumi up": _UP,
    "pulumi up --refresh": _REPAIRED,
    "pulumi destroy": _DESTROY,
    "pulumi up && pulumi refresh --yes --clear-pending-creates": _INTERRUPTED,
    ".venv/bin/python -m measure": "tests/lab/test_measure.py::test_every_scheduled_request_gets_its_response",
    ".venv/bin/python -m faults web-reloaded database-killed": (
        "tests/lab/test_faults.py::test_every_fault_that_was_asked_for_has_an_outcome"
    ),
    ".venv/bin/python -m lab": "tests/lab/test_recovery.py::test_status_names_a_stopped_component",
    "make preview": _PREVIEW,
    "make preview BASE=main": _PREVIEW,
    "make preview-down": _PREVIEW,
    ".venv/bin/python -m preview show": _PREVIEW,
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
    "KUBECONFIG=ci.kubeconfig kubectl auth can-i --list -n multi-tier": _RIGHTS,
    "KUBECONFIG=ci.kubeconfig kubectl auth can-i get secrets -n kube-system": _RIGHTS,
    "KUBECONFIG=ci.kubeconfig kubectl auth can-i create pods --subresource=exec -n multi-tier": _RIGHTS,
    "kubectl create role clone --verb=create --resource=datavolumes.cdi.kubevirt.io/source -n golden-images": _CLONE,
    "kubectl create rolebinding clone --role=clone --serviceaccount=multi-tier:default -n golden-images": _CLONE,
    # The public run types these, and the lab's tests run its steps.
    "kubectl wait storageprofile/standard --for=create --timeout=2m": _STORAGE,
    "kubectl patch storageprofile standard --type=merge"
    """ -p '{"spec":{"claimPropertySets":[{"accessModes":["ReadWriteOnce"],"volumeMode":"Filesystem"}]}}'""": _STORAGE,
    "pulumi stack select --create laptop": _DEPLOY,
    "pulumi up --stack laptop --yes": _DEPLOY,
    'sh -c "$(pulumi stack output request --stack laptop)"': _DEPLOY,
    ".venv/bin/python -m measure run --rps 10 --for 60s"
    " --gate error_rate=0 --gate delivered_share=0.999 --gate total.p95=1000": (
        "tests/lab/test_public_run.py::test_measure_passes_its_gates_and_leaves_the_report_that_is_kept"
    ),
    "pulumi destroy --stack laptop --yes": "tests/lab/test_public_run.py::test_destroy_leaves_no_namespace",
    "pulumi config set --path ssh.user ann": _SSH,
    """pulumi config set --path 'ssh.authorizedKeys[0]' "$(cat ~/.ssh/id_ed25519.pub)\"""": _SSH,
    _SSH_COMMAND: _SSH,
}
# What a reader substitutes for a word in angle brackets.
EXAMPLES = {"<vm>": "multi-tier-web-0"}


@dataclass(frozen=True, slots=True)
class Command:
    """One command of a document.

    Attributes:
        document: The file, relative to the project's directory.
        line: Its line number there.
        text: The command; one of several lines keeps them.
        section: The anchor of the heading that it is under.
        in_block: Whether it is typed as part of a block, and not just mentioned in the text.
        shown: The lines that the document shows as its output.
    """

    document: str
    line: int
    text: str
    section: str = ""
    in_block: bool = True
    shown: list[str] = field(default_factory=list, compare=False)

    @property
    def subjects(self) -> set[str]:
        """What an entry of the list of untested commands may name to include this one."""
        return {self.text, self.document, f"{self.document}#{self.section}"}

    @property
    def is_tested(self) -> bool:
        """Whether any test covers it."""
        return not self.subjects & not_run().keys()

    @property
    def runs_on_the_lab(self) -> bool:
        """Whether the test on the lab has to run it."""
        return self.is_tested and self.text not in ELSEWHERE

    def __str__(self) -> str:
        return f"{self.document}:{self.line}: {self.text}"


@cache
def not_run() -> dict[str, str]:
    """Return the reasons for not running things, by command, by page, or by `page#section`."""
    table = WHAT_WAS_RUN.read_text().partition("## Commands that no test runs\n")[2]
    reasons = {}
    for subject, reason in re.findall(r"^\| (\[.+|`.+) \| (.+) \|$", table, re.M):
        target = re.search(r"\]\((\S+)\)$", subject)
        reasons[_from_project(target[1]) if target else subject.strip("`")] = reason
    return reasons


def _from_project(link: str) -> str:
    path, _, section = link.partition("#")
    document = str((WHAT_WAS_RUN.parent / path).resolve().relative_to(PROJECT))
    return f"{document}#{section}" if section else document


def slug(heading: str) -> str:
    """Return the anchor that GitHub and GitLab give a heading."""
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


def commands(document: Path) -> list[Command]:
    """Return a document's commands in their order."""
    name = str(document.relative_to(PROJECT))
    found: list[Command] = []
    block: str | None = None  # the language of the block that this line is in
    section = ""
    for number, line in enumerate(document.read_text().splitlines(), start=1):
        if line.lstrip().startswith("```"):
            block = line.strip("` ") or "text" if block is None else None
        elif block is None and line.startswith("#"):
            section = slug(line.lstrip("# "))
        elif block is None:
            found += [Command(name, number, text, section, in_block=False) for text in _in_backquotes(line)]
        elif block == "console":
            if line.startswith("$ "):
                found.append(Command(name, number, line[2:], section))
            elif found and line.strip() not in ("", "..."):
                found[-1].shown.append(line)
        elif block in SHELL and line.strip() and not line.lstrip().startswith("#"):
            found.append(Command(name, number, re.sub(r"\s{2,}# .*", "", line), section))
    return found


def _in_backquotes(line: str) -> list[str]:
    texts = (text.strip() for text in re.findall(r"`([^`]+)`", line))
    return [text for text in texts if " " in text and text.split()[0] in PROGRAMS]
