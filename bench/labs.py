"""The bench's own lab, beside the one that somebody may be using."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console

from lab import lifecycle
from lab.config import DEFAULT_SUBNET, PROJECT, GuestKind, Lab
from lab.progress import Progress

DIRECTORY = PROJECT / ".lab-bench"


@contextmanager
def own_lab(console: Console, kind: GuestKind = GuestKind.CONTAINERS) -> Iterator[Lab]:
    """Run a lab while the body runs, and remove what a killed bench has left of it.

    Raises:
        LabError: It doesn't start.
    """
    progress = Progress(console)
    lifecycle.stop(Lab.at(DIRECTORY, DEFAULT_SUBNET), progress)
    try:
        yield lifecycle.start(Lab.at(DIRECTORY, DEFAULT_SUBNET, kind=kind), progress)
    finally:
        lifecycle.stop(Lab.at(DIRECTORY, DEFAULT_SUBNET), progress)
