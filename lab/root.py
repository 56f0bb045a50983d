"""The lab's directory, which only a marker file makes the lab's own: nothing else is ever written to or removed."""

from __future__ import annotations

import os
import shlex

from lab import mounts
from lab.config import Lab
from lab.errors import LabError

MARKER = ".multi-tier-lab"
_TEXT = "Everything in this directory belongs to a lab of multi-tier and is deleted with it.\n"


def check(lab: Lab) -> None:
    """Make sure that the directory is the lab's, empty, or missing.

    Raises:
        LabError: It is somebody else's, or can't be a lab's.
    """
    if os.pathsep in str(lab.root):
        raise LabError(f"{lab.root} has a colon, at which PATH and KUBECONFIG are split. Use another directory.")
    if not lab.root.exists():
        return
    if not lab.root.is_dir():
        raise LabError(f"{lab.root} is not a directory. Set MULTI_TIER_LAB or MULTI_TIER_PREVIEW to another path.")
    if not (lab.root / MARKER).is_file() and any(lab.root.iterdir()):
        raise LabError(
            f"{lab.root} is not a lab's directory, and it is not empty, so nothing in it is touched. Set "
            "MULTI_TIER_LAB or MULTI_TIER_PREVIEW to another path. If an earlier version started a lab there, run "
            f"`touch {shlex.quote(str(lab.root / MARKER))}` and the same command again."
        )


def claim(lab: Lab) -> None:
    """Create the directory and mark it as the lab's.

    Raises:
        LabError: It is somebody else's, or can't be written.
    """
    check(lab)
    try:
        lab.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        (lab.root / MARKER).write_text(_TEXT)
    except OSError as error:
        raise LabError(f"{lab.root} can't be the lab's directory: {error.strerror}.") from None


def remove(lab: Lab) -> None:
    """Remove the directory with everything in it, the marker last.

    Raises:
        LabError: It is somebody else's, or something can't be removed.
    """
    check(lab)
    if not lab.root.exists():
        return
    try:
        for path in lab.root.iterdir():
            if path.is_dir() and not path.is_symlink():
                mounts.remove_tree(path)
            elif path.name != MARKER:
                path.unlink()
        (lab.root / MARKER).unlink()
        if not lab.root.is_mount():
            lab.root.rmdir()
    except OSError as error:
        raise LabError(f"{lab.root} can't be removed: {error}. Run the same command again.") from None
