"""Mount points below a directory, and removing a directory without following them to other file systems."""

from __future__ import annotations

import re
import shutil
import time
from pathlib import Path

from lab.command import run
from lab.errors import LabError

_MOUNTS = Path("/proc/self/mountinfo")


def below(directory: Path) -> list[Path]:
    """Return the mount points at a directory and below, the innermost first."""
    directory = directory.resolve()
    lines = _MOUNTS.read_text().splitlines()
    # The kernel writes spaces, tabs, newlines and backslashes as octal numbers.
    points = (Path(re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), line.split()[4])) for line in lines)
    return [point for point in reversed(list(points)) if point.is_relative_to(directory)]


def unmount(directory: Path, timeout: float = 5.0) -> None:
    """Unmount everything at a directory and below.

    Raises:
        LabError: It remains busy.
    """
    deadline = time.monotonic() + timeout
    while points := below(directory):
        try:
            run("umount", points[0])
        except LabError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)


def remove_tree(directory: Path) -> None:
    """Remove a directory with everything in it, if it exists.

    Raises:
        LabError: Something is mounted at it or below, or can't be removed.
    """
    if points := below(directory):
        raise LabError(f"{directory} can't be removed: {points[0]} is mounted. Unmount it and try again.")
    try:
        shutil.rmtree(directory)
    except FileNotFoundError:
        if directory.exists():  # something else in it was removed meanwhile
            remove_tree(directory)
    except OSError as error:
        raise LabError(f"{directory} can't be removed: {error}") from None
