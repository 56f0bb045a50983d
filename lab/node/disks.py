"""Raw disk files, and the loop devices through which guests use them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Lock

from lab.command import run
from lab.errors import LabError

# Two guests that start at once must not both find a file unattached.
_ATTACHING = Lock()


def create(file: Path, size: int) -> None:
    """Make a sparse file of `size` bytes; one that exists keeps its data and grows if it is smaller."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with file.open("ab") as disk:
        file.chmod(0o600)
        if disk.seek(0, 2) < size:
            disk.truncate(size)


def attach(files: Sequence[Path], *, before: Callable[[], None]) -> list[str]:
    """Return a loop device backed by each file, such as "/dev/loop3".

    Args:
        files: those of one guest.
        before: called when the files are known to be free, before anything is attached: from then on they are the
            guest's to detach.

    Raises:
        LabError: a file is another guest's, or the kernel has no loop device left.
    """
    with _ATTACHING:
        for file in files:
            if attached := devices(file):
                raise LabError(f"The disk {file.stem} is in use by another guest ({', '.join(attached)}).")
        before()
        return [run("losetup", "--find", "--show", str(file)).strip() for file in files]


def devices(file: Path) -> list[str]:
    """Return the loop devices that the file backs, also when it was deleted since."""
    return [device for device, backing in _attached() if backing == str(file)]


def detach(file: Path, timeout: float = 5.0) -> None:
    """Detach the file from all its loop devices, and wait until the kernel has let go of it."""
    deadline = time.monotonic() + timeout
    while attached := devices(file):
        for device in attached:
            # Where a dying guest still holds the device, this only marks it to be detached on its last close.
            run("losetup", "--detach", device)
        if time.monotonic() > deadline:
            raise LabError(f"{file.name} is still attached to {', '.join(attached)}: something holds it open")
        time.sleep(0.02)


def detach_below(directory: Path) -> None:
    """Detach every file below a directory, also files that were deleted while attached."""
    for device, backing in _attached():
        if backing.startswith(f"{directory}/"):
            run("losetup", "--detach", device)


def _attached() -> list[tuple[str, str]]:
    listing = json.loads(run("losetup", "--list", "--json", "--output", "NAME,BACK-FILE") or "{}")
    return [
        (loop["name"], (loop["back-file"] or "").removesuffix(" (deleted)")) for loop in listing.get("loopdevices", ())
    ]
