"""Previews of changes to a copy of the program, against a real API server with KubeVirt's real admission."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from lab.config import PROJECT, Lab
from preview.cluster import Cluster
from preview.control_plane import preview_lab
from preview.report import MARKER, ExitCode

PROGRAM = ("Pulumi.yaml", "__main__.py", "components", "cloudinit", "kube", "stacks")
STACKS = sorted(path.name.split(".")[1] for path in (PROJECT / "stacks").glob("Pulumi.*.yaml"))
LAB = "stacks/Pulumi.lab.yaml"
LEAK = """
import os

for name, value in os.environ.items():
    if value == "sentinel":
        raise ValueError(f"{name} is {value}")
"""
DATA_KEPT = "Data kept: data disk (DataVolume `multi-tier-database-0-data`)"


@dataclass
class Change:
    """A repository with a copy of the program that a test changes, and the control plane of its previews."""

    directory: Path
    root: Path

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "MULTI_TIER_PREVIEW": str(self.root)}

    def git(self, *arguments: str) -> None:
        identity = ("-c", "user.name=test", "-c", "user.email=test@example.invalid")
        subprocess.run(["git", *identity, *arguments], cwd=self.directory, check=True, capture_output=True)

    def replace(self, file: str, old: str, new: str) -> None:
        path = self.directory / file
        text = path.read_text()
        assert old in text, f"{file} no longer contains {old!r}: adapt this test"
        path.write_text(text.replace(old, new))

    def preview(self, *arguments: str, base: str = "main") -> subprocess.CompletedProcess[str]:
        return self.run("show", "--base", base, "--project", str(self.directory), *arguments)

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "preview", *arguments],
            cwd=PROJECT,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Change]:
    place = tmp_path_factory.mktemp("preview")
    change = Change(place / "checkout", place / "control-plane")
    change.directory.mkdir()
    for name in PROGRAM:
        original, copy = PROJECT / name, change.directory / name
        if original.is_dir():
            shutil.copytree(original, copy, ignore=shutil.ignore_patterns("__pycache__", "Pulumi.bench-*"))
        else:
            shutil.copy(original, copy)
    change.git("init", "--quiet", "--initial-branch", "main")
    change.git("add", ".")
    change.git("commit", "--quiet", "--message", "base")
    yield change
    done = change.run("stop")
    assert done.returncode == 0, done.stderr
    assert not change.root.exists()


@pytest.fixture
def change(repository: Change) -> Iterator[Change]:
    yield repository
    repository.git("checkout", "--quiet", "main")
    repository.git("reset", "--hard", "--quiet")
    repository.git("clean", "-fdq")


def report(done: subprocess.CompletedProcess[str], code: ExitCode) -> str:
    assert done.returncode == code, f"{done.returncode}\n{done.stdout}\n{done.stderr}"
    assert done.stdout.startswith(MARKER)
    assert "Traceback" not in done.stdout + done.stderr
    return done.stdout


def secrets(change: Change, monkeypatch: pytest.MonkeyPatch) -> set[str]:
    monkeypatch.setenv("MULTI_TIER_PREVIEW", str(change.root))
    lab: Lab = preview_lab()
    return {secret for secret in Cluster(lab).secrets() if len(secret) > 20}


def test_an_unchanged_program_changes_no_stack(change: Change) -> None:
    text = report(change.preview(), ExitCode.NO_CHANGE)
    for stack in STACKS:
        assert f"| {stack} |  |  |  |  | no change |" in text
    assert "###" not in text


def test_a_changed_rate_is_one_changed_property_and_replaces_no_machine(change: Change) -> None:
    change.replace(LAB, "rps: 50", "rps: 100")
    text = report(change.preview("--stack", "lab", "--stack", "scaled"), ExitCode.CHANGE)
    assert "| lab |  | 1 |  |  | change |" in text
    assert "| scaled |  |  |  |  | no change |" in text
    _, _, properties = text.partition("- ConfigMap `multi-tier-load`\n")
    assert re.findall(r"^  - .*", properties, re.MULTILINE) == ['  - `data["plan.json"]` (JSON):']
    assert "    - `rps`: `50` → `100`\n" in properties


def test_changed_user_data_replaces_the_database_machine_keeps_its_data_and_shows_no_secret(
    change: Change, monkeypatch: pytest.MonkeyPatch
) -> None:
    change.git("checkout", "--quiet", "-b", "tuning")
    change.replace("cloudinit/files/database/setup.sh.j2", "\n", "\n# Another line.\n")
    change.git("commit", "--quiet", "--all", "--message", "tuning")
    text = report(change.preview("--stack", "lab"), ExitCode.CHANGE)
    assert "| lab |  | 1 | 1 |  | change |" in text
    assert "- VirtualMachine `multi-tier-database-0`" in text
    assert DATA_KEPT in text
    assert "**Data lost**: everything written to the root disk (containerDisk)" in text
    assert "- Secret `multi-tier-database-cloud-init`" in text
    assert "changed (secret)" in text
    held = secrets(change, monkeypatch)
    assert held
    assert [secret for secret in held if secret in text] == []
    assert not re.search(r"[0-9a-f]{64}", text), "the hash of a secret"


def test_a_changed_tier_of_several_machines_rolls(change: Change) -> None:
    change.replace("stacks/Pulumi.scaled.yaml", "multi-tier:web:\n", "multi-tier:web:\n    version: v2\n")
    text = report(change.preview("--stack", "scaled"), ExitCode.CHANGE)
    assert "Rolling change: drained and replaced first, while" in text
    assert "Rolling change: drained and replaced once `multi-tier-web-0` is ready, while" in text
    assert "Downtime" not in text


def test_another_name_and_namespace_lose_the_database_and_are_shown_as_they_are(change: Change) -> None:
    change.replace(LAB, "config:\n", "config:\n  multi-tier:name: another\n  multi-tier:namespace: elsewhere\n")
    change.replace(LAB, "multi-tier:database:\n", "multi-tier:database:\n    allowDataLoss: true\n")
    text = report(change.preview("--stack", "lab"), ExitCode.CHANGE)
    assert "**Data lost**: data disk (DataVolume `multi-tier-database-0-data` is deleted too)" in text
    assert "**Data lost**: everything on this disk" in text
    assert "`metadata.name`: `multi-tier` → `elsewhere`" in text
    assert "**Data lost**: everything in this namespace" in text
    assert "preview-" not in text


def test_another_scale_loses_the_accounts_and_the_history(change: Change) -> None:
    change.replace(LAB, "multi-tier:database:\n", "multi-tier:database:\n    scale: 20\n")
    text = report(change.preview("--stack", "lab"), ExitCode.REFUSED)
    assert re.search(r"multi-tier:database.scale \(.*, line \d+\): 20 instead of 10 would delete all accounts", text)
    change.replace(LAB, "scale: 20\n", "scale: 20\n    allowDataLoss: true\n")
    text = report(change.preview("--stack", "lab"), ExitCode.CHANGE)
    assert "**Data lost**: all accounts and history on the data disk" in text
    assert "at scale `20` instead of" in text
    assert DATA_KEPT not in text


def test_a_new_stack_is_created(change: Change) -> None:
    shutil.copy(change.directory / LAB, change.directory / "stacks" / "Pulumi.mine.yaml")
    text = report(change.preview("--stack", "mine"), ExitCode.CHANGE)
    assert "- VirtualMachine `multi-tier-database-0`" in text


def test_refusals_of_the_program_and_of_admission_are_reported(change: Change) -> None:
    for stack in ("mine", "scaled"):
        shutil.copy(change.directory / LAB, change.directory / "stacks" / f"Pulumi.{stack}.yaml")
    # The other scale of this stack's database would be refused first.
    change.replace(
        "stacks/Pulumi.scaled.yaml", "multi-tier:database:\n", "multi-tier:database:\n    allowDataLoss: true\n"
    )
    change.replace(LAB, "rps: 50", "rps: 0")
    change.replace("components/database.py", '{"tcpSocket": {"port": DATABASE_PORT}}', "{}")
    text = report(change.preview("--stack", "lab", "--stack", "mine", "--stack", "scaled"), ExitCode.REFUSED)
    assert "| lab |  |  |  |  | ❌ refused |" in text
    lines = (change.directory / LAB).read_text().splitlines()
    line = 1 + next(index for index, text in enumerate(lines) if "rps: 0" in text)
    assert f"multi-tier:load.rps ({LAB}, line {line}): 0 must be a whole number from 1" in text
    for section in ("### mine", "### scaled"):  # one object is created, the other one replaced
        _, _, refused = text.partition(section)
        assert re.search("database-0.*admission webhook", refused.partition("###")[0])


def test_the_changes_code_sees_no_variable_of_the_job(change: Change, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREVIEW_TOKEN", "sentinel")
    change.replace("__main__.py", "import pulumi\n", f"import pulumi\n{LEAK}")
    text = report(change.preview("--stack", "lab"), ExitCode.NO_CHANGE)
    assert "sentinel" not in text


def test_an_unknown_base_is_a_failure(change: Change) -> None:
    done = change.preview(base="nowhere")
    assert done.returncode == ExitCode.FAILED
    assert "nowhere is not a commit" in done.stderr
