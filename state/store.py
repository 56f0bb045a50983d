"""The states of stacks in the files of Pulumi's file backend, and a journal beside each while it is updated.

A journal's first line names the update and the checkpoint that it continues. With the update, the journal ends, and
what it says becomes the checkpoint. The next update ends that of a killed one; until then it is part of the state.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any, BinaryIO

from lab.files import write_private
from state.replay import Document, replay

# As the hosted service: the engine renews its lease after half of this time.
LEASE_SECONDS = 300.0
_VERSION = 3  # of the format of a checkpoint
_EMPTY: Document = {"manifest": {"time": "0001-01-01T00:00:00Z", "magic": "", "version": ""}}


class ConflictError(Exception):
    """Another update of the stack is running, or this one is no longer running."""


@dataclass(frozen=True, slots=True)
class StackName:
    """The project and the name of a stack."""

    project: str
    name: str


class Store:
    """The states in one directory."""

    def __init__(self, directory: Path) -> None:
        """Use the directory of a file backend, which may be new."""
        self._root = directory / ".pulumi"
        self._lock = Lock()
        meta = self._root / "meta.yaml"
        if not meta.exists():
            self._root.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_private(meta, b"version: 1\n")  # stacks are in directories of their projects

    def names(self) -> list[StackName]:
        """Return the stacks."""
        found = self._root.glob("stacks/*/*.json")
        return sorted(
            (StackName(path.parent.name, path.stem) for path in found), key=lambda one: (one.project, one.name)
        )

    def exists(self, stack: StackName) -> bool:
        """Whether there is such a stack."""
        return self._checkpoint(stack).exists()

    def create(self, stack: StackName, state: Document | None = None) -> None:
        """Create a stack, or replace its state."""
        with self._lock:
            self._journal(stack).unlink(missing_ok=True)
            self._save(stack, state)

    def delete(self, stack: StackName) -> None:
        """Forget a stack."""
        with self._lock:
            self._checkpoint(stack).unlink()
            self._journal(stack).unlink(missing_ok=True)

    def state(self, stack: StackName) -> Document:
        """Return a stack's state, as of the last entry of a running or killed update."""
        with self._lock:
            return self._state(stack)

    def running(self, stack: StackName) -> str | None:
        """Return the id of the update that is running, or was killed, unless its lease has ended."""
        journal = self._journal(stack)
        try:
            alive = time.time() - journal.stat().st_mtime < LEASE_SECONDS
            return str(self._header(stack)["update"]) if alive else None
        except (FileNotFoundError, ValueError):
            return None

    def begin(self, stack: StackName, update: str) -> None:
        """Begin an update.

        Raises:
            ConflictError: Another one is running.
        """
        with self._lock:
            if self.running(stack):
                raise ConflictError("Another update of this stack is running. If it was killed, run `pulumi cancel`.")
            self._end(stack)
            journal = self._journal(stack)
            journal.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            header = {"update": update, "base": self._digest(stack)}
            write_private(journal, json.dumps(header).encode() + b"\n")

    def append(self, stack: StackName, update: str, entries: list[Document]) -> None:
        """Add entries to an update's journal. When this returns, they are on the disk.

        Raises:
            ConflictError: The update is no longer running.
        """
        lines = b"".join(json.dumps(entry, separators=(",", ":")).encode() + b"\n" for entry in entries)
        with self._lock:
            self._check(stack, update)
            with self._journal(stack).open("r+b") as journal:
                _seek_end(journal)
                journal.write(lines)
                journal.flush()
                os.fsync(journal.fileno())

    def renew(self, stack: StackName, update: str) -> None:
        """Prolong an update's lease.

        Raises:
            ConflictError: The update is no longer running.
        """
        with self._lock:
            self._check(stack, update)
            self._journal(stack).touch()

    def end(self, stack: StackName, update: str | None = None) -> None:
        """End an update; None: whichever is running. What its journal says becomes the checkpoint.

        Raises:
            ConflictError: The update is no longer running.
        """
        with self._lock:
            if update is not None:
                self._check(stack, update)
            self._end(stack)

    def _check(self, stack: StackName, update: str) -> None:
        try:
            found = self._header(stack)["update"]
        except (FileNotFoundError, ValueError):
            found = None
        if found != update:
            raise ConflictError("The update is no longer running: it was cancelled.")

    def _end(self, stack: StackName) -> None:
        journal = self._journal(stack)
        if not journal.exists():
            return
        if self._continues(stack):
            self._save(stack, self._state(stack))
        journal.unlink()

    def _continues(self, stack: StackName) -> bool:
        """Whether the journal continues the checkpoint, and not one that already contains the journal."""
        try:
            return bool(self._header(stack)["base"] == self._digest(stack))
        except ValueError:  # torn when it was begun
            return False

    def _state(self, stack: StackName) -> Document:
        checkpoint = json.loads(self._checkpoint(stack).read_bytes())["checkpoint"]
        base = checkpoint.get("latest") or _EMPTY
        if not self._journal(stack).exists() or not self._continues(stack):
            return dict(base)
        return replay(base, self._entries(stack))

    def _entries(self, stack: StackName) -> Iterator[Document]:
        """Yield the journal's entries, without a torn one, which was never acknowledged."""
        with self._journal(stack).open("rb") as journal:
            next(journal)
            for line in journal:
                if line.endswith(b"\n"):
                    yield json.loads(line)

    def _header(self, stack: StackName) -> dict[str, Any]:
        with self._journal(stack).open("rb") as journal:
            found: dict[str, Any] = json.loads(journal.readline())
            return found

    def _digest(self, stack: StackName) -> str:
        return hashlib.sha256(self._checkpoint(stack).read_bytes()).hexdigest()

    def _save(self, stack: StackName, state: Document | None) -> None:
        named = {"stack": f"organization/{stack.project}/{stack.name}", "latest": state}
        document = {"version": _VERSION, "checkpoint": named}
        path = self._checkpoint(stack)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_private(path, json.dumps(document, separators=(",", ":")).encode())

    def _checkpoint(self, stack: StackName) -> Path:
        return self._root / "stacks" / stack.project / f"{stack.name}.json"

    def _journal(self, stack: StackName) -> Path:
        return self._root / "journals" / stack.project / f"{stack.name}.jsonl"


def _seek_end(journal: BinaryIO) -> None:
    """Go to the end of a journal, and cut off a torn entry there, which its writer sends again if it lives."""
    end = journal.seek(0, os.SEEK_END)
    journal.seek(end - 1)
    if journal.read() != b"\n":
        journal.seek(0)
        journal.truncate(journal.read().rfind(b"\n") + 1)
        journal.seek(0, os.SEEK_END)
