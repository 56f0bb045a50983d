"""Labs of one test session, in a directory and on a subnet that no other session uses."""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from rich.console import Console

from lab import lifecycle
from lab.config import DEFAULT_SUBNET, PROJECT, GuestKind, Lab
from lab.progress import Progress

PROGRESS = Progress(Console(stderr=True, width=120))
_PREFIX = ".lab-test-"
_NAME = "lab"


@contextmanager
def own_lab(*, name: str = _NAME, uplink: bool = False, kind: GuestKind = GuestKind.CONTAINERS) -> Iterator[Lab]:
    """Yield a lab that is not started yet, in a directory with this name; stop it and remove it at the end."""
    with ExitStack() as held:
        with _locked(PROJECT):
            _remove_abandoned()
            directory = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=PROJECT))
            held.enter_context(_locked(directory))
        lab = Lab.at(directory / name, DEFAULT_SUBNET, uplink=uplink, kind=kind)
        try:
            yield lab
        finally:
            _remove(directory)


def _remove_abandoned() -> None:
    """Remove the labs of sessions that were killed: their directories are not locked any more."""
    for directory in PROJECT.glob(f"{_PREFIX}*"):
        with suppress(BlockingIOError), _locked(directory, wait=False):
            _remove(directory)


def _remove(directory: Path) -> None:
    for root in {directory / _NAME, *directory.iterdir()}:
        lifecycle.stop(Lab.at(root, DEFAULT_SUBNET), PROGRESS)
    directory.rmdir()


@contextmanager
def _locked(directory: Path, *, wait: bool = True) -> Iterator[None]:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)
