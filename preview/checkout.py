"""The two versions that are compared: a commit in a directory of its own, and the working tree."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from preview.outcome import PreviewError


@dataclass(frozen=True, slots=True)
class Base:
    """What the working tree is compared with.

    Attributes:
        commit: full id.
        called: how the report calls it.
    """

    commit: str
    called: str


def base_of(project: Path, ref: str) -> Base:
    """Return the commit at which the working tree left a ref: what came to the ref later is no part of the change.

    Raises:
        PreviewError: the project is in no git repository, or the ref names no commit.
    """
    wanted = _git(project, "rev-parse", "--verify", "--quiet", f"{ref}^{{commit}}")
    if wanted is None:
        raise PreviewError(
            f"{ref} names no commit in {project}. Give a branch, a tag or a commit; "
            "a shallow clone has to fetch it first: `git fetch origin <branch>`."
        )
    # Without a common ancestor, as in a shallow clone, the ref itself is the next best.
    commit = _git(project, "merge-base", "HEAD", wanted) or wanted
    return Base(commit, f"{ref} ({commit[:9]})")


def head_of(project: Path) -> str:
    """Return how the report calls the working tree."""
    commit = _git(project, "rev-parse", "--short=9", "HEAD") or "no commit"
    changed = _git(project, "status", "--porcelain", "--untracked-files=normal")
    return f"{commit} with uncommitted changes" if changed else commit


@contextmanager
def checked_out(project: Path, base: Base) -> Iterator[Path]:
    """Give the base's files in a directory that is removed at the end.

    Raises:
        PreviewError: git could not make it.
    """
    with tempfile.TemporaryDirectory(prefix="multi-tier-preview-") as temporary:
        place = Path(temporary, "base")
        if _git(project, "worktree", "add", "--detach", "--force", str(place), base.commit) is None:
            raise PreviewError(f"git could not check out {base.called} beside {project}. Try `git worktree prune`.")
        try:
            # The official language host takes the interpreter from there.
            if not (place / ".venv").exists():
                (place / ".venv").symlink_to(sys.prefix)
            yield place
        finally:
            _git(project, "worktree", "remove", "--force", str(place))


@dataclass(frozen=True, slots=True)
class Program:
    """The Pulumi program in one checkout.

    Attributes:
        directory: where its Pulumi.yaml is.
        name: the project's name, the prefix of its settings.
        stacks: stack -> its file.
        default_namespace: the default of the setting `namespace`.
    """

    directory: Path
    name: str
    stacks: dict[str, Path]
    default_namespace: str


def program_in(directory: Path) -> Program:
    """Return the program of a checkout.

    Raises:
        PreviewError: there is none.
    """
    try:
        document: dict[str, Any] = yaml.safe_load((directory / "Pulumi.yaml").read_text())
        files = (directory / document.get("stackConfigDir", ".")).glob("Pulumi.*.yaml")
        namespace = document.get("config", {}).get("namespace", {}).get("default", document["name"])
        stacks = {path.name.removeprefix("Pulumi.").removesuffix(".yaml"): path for path in sorted(files)}
        return Program(directory, document["name"], stacks, namespace)
    except (OSError, yaml.YAMLError, AttributeError, KeyError, TypeError) as error:
        raise PreviewError(f"{directory / 'Pulumi.yaml'} is no Pulumi project's: {error}") from None


def _git(project: Path, *arguments: str) -> str | None:
    """Return what git prints, or None where it fails."""
    done = subprocess.run(["git", "-C", project, *arguments], capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else None
