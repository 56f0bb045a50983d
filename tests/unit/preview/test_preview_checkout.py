"""The base is the commit at which the working tree left a ref, in a directory that doesn't stay."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from preview.checkout import base_of, checked_out, head_of, program_in
from preview.outcome import PreviewError

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


def test_what_came_to_the_ref_later_is_no_part_of_the_change(project: Path) -> None:
    left = git(project, "rev-parse", "HEAD")
    git(project, "checkout", "--quiet", "-b", "change")
    commit(project, "ours", "")
    git(project, "checkout", "--quiet", "main")
    commit(project, "theirs", "")
    git(project, "checkout", "--quiet", "change")
    assert base_of(project, "main").commit == left


@pytest.mark.parametrize("ref", ["nowhere", "--help", ""])
def test_a_ref_that_names_no_commit_is_refused(project: Path, ref: str) -> None:
    with pytest.raises(PreviewError, match="names no commit"):
        base_of(project, ref)


def test_uncommitted_changes_are_told_of(project: Path) -> None:
    assert "uncommitted" not in head_of(project)
    (project / "new").write_text("")
    assert head_of(project).endswith("with uncommitted changes")


def test_the_bases_files_are_there_for_as_long_as_they_are_needed(project: Path) -> None:
    commit(project, "stacks/Pulumi.lab.yaml", "config: {}\n")
    base = base_of(project, "main")
    (project / "stacks" / "Pulumi.lab.yaml").unlink()
    with checked_out(project, base) as place:
        assert list(program_in(place).stacks) == ["lab"]
    assert not place.exists()
    assert len(git(project, "worktree", "list").splitlines()) == 1


def test_a_program_is_known_by_its_project_file(project: Path) -> None:
    commit(project, "stacks/Pulumi.lab.yaml", "config: {}\n")
    found = program_in(project)
    assert (found.name, found.default_namespace, list(found.stacks)) == ("tiers", "a-place", ["lab"])


@pytest.mark.parametrize("text", ["", "[", "- a", "runtime: python"])
def test_what_is_no_project_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "Pulumi.yaml").write_text(text)
    with pytest.raises(PreviewError, match=r"Pulumi\.yaml"):
        program_in(tmp_path)
