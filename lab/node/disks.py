"""Raw disk files, and the loop devices through which guests use them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Lock

from lab.command import run
from lab.errors import LabError

# Two guests that start at the same time must not both find a file detached.
_ATTACHING = Lock()


def create(file: Path, size: int) -> None:
    """Create a sparse file of `size` bytes; an existing file keeps its data, and grows if it is smaller."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with file.open("ab") as disk:
        file.chmod(0o600)
        if disk.seek(0, 2) < size:
            disk.truncate(size)


def attach(files: Sequence[Path], *, before: Callable[[], None]) -> list[str]:
    """Return a loop device backed by each file, such as "/dev/loop3".

    Args:
        files: The files of one guest.
        before: Called once the files are known to be free, before any is attached: from then on the guest must detach
            them.

    Raises:
        LabError: Another guest uses a file, or the kernel has no loop device left.
    """
    with _ATTACHING:
        for file in files:
            if attached := devices(file):
                raise LabError(f"{file} is in use by another guest ({', '.join(attached)}).")
        before()
        return [run("losetup", "--find", "--show", str(file)).strip() for file in files]


def devices(file: Path) -> list[str]:
    """Return the loop devices backed by a file, even if it has been deleted since."""
    return [device for device, backing in _attached() if backing == str(file)]


def detach(file: Path, timeout: float = 5.0) -> None:
    """Detach a file from all its loop devices, and wait until the kernel has released it."""
    deadline = time.monotonic() + timeout
    while attached := devices(file):
        for device in attached:
            # If a guest that is ending still has the device open, the kernel detaches it on the last close.
            run("losetup", "--detach", device)
        if time.monotonic() > deadline:
            raise LabError(f"{file.name} is still attached to {', '.join(attached)}: a process has it open")
        time.sleep(0.02)


def detach_below(directory: Path) -> None:
    """Detach every file below a directory, including files deleted while attached."""
    for device, backing in _attached():
        if backing.startswith(f"{directory}/"):
            run("losetup", "--detach", device)


def _attached() -> list[tuple[str, str]]:
    listing = json.loads(run("losetup", "--list", "--json", "--output", "NAME,BACK-FILE") or "{}")
    return [
        (loop["name"], (loop["back-file"] or "").removesuffix(" (deleted)")) for loop in listing.get("loopdevices", ())
    ]
