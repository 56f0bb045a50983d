"""The base is the merge base of the working tree and a ref, checked out into a temporary directory."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from lab.errors import LabError
from preview.checkout import Program, base_of, checked_out, head_title

PULUMI = "name: tiers\nruntime: python\nstackConfigDir: stacks\nconfig:\n  namespace:\n    default: a-place\n"


def git(project: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=test", "-c", "user.email=test@example.invalid")
    command = ["git", "-C", str(project), *identity, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def commit(project: Path, file: str, text: str) -> str:
    (project / file).parent.mkdir(parents=True, exist_ok=True)
    (project / file).write_text(text)
    git(project, "add", ".")
    git(project, "commit", "--quiet", "--message", file)
    return git(project, "rev-parse", "HEAD")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    place = tmp_path / "project"
    place.mkdir()
    git(place, "init", "--quiet", "--initial-branch", "main")
    commit(place, "Pulumi.yaml", PULUMI)
    return place


def test_later_commits_of_the_ref_are_not_part_of_the_change(project: Path) -> None:
    left = git(project, "rev-parse", "HEAD")
    git(project, "checkout", "--quiet", "-b", "change")
    commit(project, "ours", "")
    git(project, "checkout", "--quiet", "main")
    commit(project, "theirs", "")
    git(project, "checkout", "--quiet", "change")
    assert base_of(project, "main").commit == left


@pytest.mark.parametrize("ref", ["nowhere", "--help", ""])
def test_an_unknown_ref_is_refused(project: Path, ref: str) -> None:
    with pytest.raises(LabError, match="is not a commit in"):
        base_of(project, ref)


def test_uncommitted_changes_are_named(project: Path) -> None:
    assert "uncommitted" not in head_title(project)
    (project / "new").write_text("")
    assert head_title(project).endswith("with uncommitted changes")


def test_the_base_is_checked_out_while_it_is_needed(project: Path) -> None:
    commit(project, "stacks/Pulumi.lab.yaml", "config: {}\n")
    base = base_of(project, "main")
    (project / "stacks" / "Pulumi.lab.yaml").unlink()
    with checked_out(project, base) as place:
        assert list(Program.load(place).stacks) == ["lab"]
    assert not place.exists()
    assert len(git(project, "worktree", "list").splitlines()) == 1


def test_a_program_is_loaded_from_its_project_file(project: Path) -> None:
    commit(project, "stacks/Pulumi.lab.yaml", "config: {}\n")
    found = Program.load(project)
    assert (found.name, found.default_namespace, list(found.stacks)) == ("tiers", "a-place", ["lab"])


@pytest.mark.parametrize(
    ("config", "namespace"),
    [("{}", "a-place"), ("{tiers:namespace: other}", "other"), ("{tiers:namespace: No!}", None), ("[", None)],
)
def test_a_stacks_namespace_is_its_setting_or_the_default(project: Path, config: str, namespace: str | None) -> None:
    commit(project, "stacks/Pulumi.lab.yaml", f"config: {config}\n")
    assert Program.load(project).namespace("lab") == namespace


@pytest.mark.parametrize(
    ("config", "scale"),
    [
        ("{}", "default"),
        ("{tiers:database: {scale: 20}}", "20"),
        ("{tiers:database: {memory: 1Gi}}", "default"),
        ("{tiers:database: no}", "default"),
        ("[", None),
    ],
)
def test_a_stacks_scale_is_its_setting(project: Path, config: str, scale: str | None) -> None:
    commit(project, "stacks/Pulumi.lab.yaml", f"config: {config}\n")
    assert Program.load(project).scale("lab") == scale


@pytest.mark.parametrize("text", ["", "[", "- a", "runtime: python"])
def test_an_invalid_project_file_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "Pulumi.yaml").write_text(text)
    with pytest.raises(LabError, match=r"Pulumi\.yaml"):
        Program.load(tmp_path)
