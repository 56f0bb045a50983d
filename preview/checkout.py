"""The two versions to compare: the base, checked out into a temporary directory, and the working tree."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from lab.errors import LabError

_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


@dataclass(frozen=True, slots=True)
class Base:
    """The commit that the working tree is compared with.

    Attributes:
        commit: Full id.
        title: Name in the report.
    """

    commit: str
    title: str


def base_of(project: Path, ref: str) -> Base:
    """Return the merge base of the working tree and a ref: later commits of the ref are not part of the change.

    Raises:
        LabError: The project is not in a git repository, or the ref is not a commit.
    """
    wanted = _git(project, "rev-parse", "--verify", "--quiet", f"{ref}^{{commit}}")
    if wanted is None:
        raise LabError(
            f"{ref} is not a commit in {project}. Use a branch, tag or commit; "
            "in a shallow clone, fetch it first: `git fetch origin <branch>`."
        )
    # A shallow clone may lack the merge base; the ref itself is the next best.
    commit = _git(project, "merge-base", "HEAD", wanted) or wanted
    return Base(commit, f"{ref} ({commit[:9]})")


def head_title(project: Path) -> str:
    """Return the name of the working tree in the report."""
    commit = _git(project, "rev-parse", "--short=9", "HEAD") or "no commit"
    changed = _git(project, "status", "--porcelain", "--untracked-files=normal")
    return f"{commit} with uncommitted changes" if changed else commit


@contextmanager
def checked_out(project: Path, base: Base) -> Iterator[Path]:
    """Check the base out into a directory that exists while the body runs.

    Raises:
        LabError: Git failed.
    """
    with tempfile.TemporaryDirectory(prefix="multi-tier-preview-") as temporary:
        directory = Path(temporary, "base")
        if _git(project, "worktree", "add", "--detach", "--force", str(directory), base.commit) is None:
            raise LabError(f"git could not check out {base.title} of {project}. Try `git worktree prune`.")
        try:
            # The official language host looks there for the interpreter.
            if not (directory / ".venv").exists():
                (directory / ".venv").symlink_to(sys.prefix)
            yield directory
        finally:
            _git(project, "worktree", "remove", "--force", str(directory))


@dataclass(frozen=True, slots=True)
class Program:
    """The Pulumi program in a checkout.

    Attributes:
        directory: Directory of Pulumi.yaml.
        name: Name of the project, the prefix of its settings.
        stacks: Stack files by stack.
        default_namespace: Default of the setting `namespace`.
    """

    directory: Path
    name: str
    stacks: dict[str, Path]
    default_namespace: str

    @classmethod
    def load(cls, directory: Path) -> Program:
        """Return the program in a directory.

        Raises:
            LabError: The directory has no valid Pulumi.yaml.
        """
        try:
            document: dict[str, Any] = yaml.safe_load((directory / "Pulumi.yaml").read_text())
            files = (directory / document.get("stackConfigDir", ".")).glob("Pulumi.*.yaml")
            namespace = document.get("config", {}).get("namespace", {}).get("default", document["name"])
            stacks = {path.name.removeprefix("Pulumi.").removesuffix(".yaml"): path for path in sorted(files)}
            return cls(directory, document["name"], stacks, namespace)
        except (OSError, yaml.YAMLError, AttributeError, KeyError, TypeError) as error:
            raise LabError(f"{directory / 'Pulumi.yaml'} is not a valid Pulumi project file: {error}") from None

    def namespace(self, stack: str) -> str | None:
        """Return the namespace of a stack's objects, or None if the stack file has no valid one."""
        if (settings := self._settings(stack)) is None:
            return None
        found = settings.get(f"{self.name}:namespace", self.default_namespace)
        return found if isinstance(found, str) and _LABEL.fullmatch(found) else None

    def scale(self, stack: str) -> str | None:
        """Return the scale of a stack's database, or None if the stack file is invalid."""
        if (settings := self._settings(stack)) is None:
            return None
        database = settings.get(f"{self.name}:database")
        return str(database.get("scale", "default")) if isinstance(database, dict) else "default"

    def _settings(self, stack: str) -> dict[str, Any] | None:
        """Return the settings in a stack file, or None if it is missing or invalid, which the engine reports."""
        try:
            settings: Any = yaml.safe_load(self.stacks[stack].read_text()).get("config") or {}
        except (KeyError, OSError, AttributeError, ValueError, yaml.YAMLError):
            return None
        return settings if isinstance(settings, dict) else None


def _git(project: Path, *arguments: str) -> str | None:
    """Return the output of git, or None if it failed."""
    done = subprocess.run(["git", "-C", project, *arguments], capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else None
