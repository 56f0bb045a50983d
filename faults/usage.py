"""What guests and the lab's components use: memory, open files, disk."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from bench.guests import Guests
from cloudinit.families import FACTS, Family
from faults.cluster import components
from lab.cluster import supervisor
from lab.config import Lab
from lab.host.control_groups import group_of

_MEBIBYTE = 1 << 20

Usage = dict[str, dict[str, float]]
"""`memory` and `disk` in MiB and the number of open `files`, by guest or component."""


def usage(lab: Lab, namespace: str) -> Usage:
    """Return what the guests in a namespace and the lab's components use.

    A guest's disk is what it has written to its root and to its data disk. A component's is its log, and etcd's data.

    Raises:
        ApiError: The guests can't be listed.
    """
    guests = Guests(lab, namespace)
    found = {}
    for name in guests.names():
        written = _written(guests.written(name)) + _data_disk(guests.leader(name))
        found[name] = {**_of_processes(guests.processes(name)), "disk": written / _MEBIBYTE}
    for one in components(lab):
        written = _written(lab.root / one.name)
        with suppress(OSError):
            written += supervisor.log(lab, one.name).stat().st_size
        found[one.name] = {**_of_processes(group_of(lab, one.name).pids()), "disk": written / _MEBIBYTE}
    return found


def _of_processes(pids: set[int]) -> dict[str, float]:
    """Return what processes use together; nothing of those that end meanwhile."""
    memory = files = 0
    for pid in pids:
        with suppress(OSError):
            memory += _anonymous(pid)
            files += len(os.listdir(f"/proc/{pid}/fd"))  # noqa: PTH208 - a count needs no paths
    return {"memory": memory / _MEBIBYTE, "files": float(files)}


def _anonymous(pid: int) -> int:
    """Return the bytes of a process's own memory: what a leak grows.

    Not the page cache and not PostgreSQL's shared buffers, which fill for hours and never beyond their size.
    """
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss_Anon:"):
            return int(line.split()[1]) * 1024
    return 0


def _written(directory: Path) -> int:
    """Return the bytes that the files below a directory occupy, without those that are deleted meanwhile."""
    total = 0
    for place, _, files in os.walk(directory):
        for file in files:
            with suppress(FileNotFoundError):
                total += Path(place, file).lstat().st_blocks * 512
    return total


def _data_disk(leader: int) -> int:
    """Return the bytes in use on a database guest's data disk; 0 for other guests."""
    mount = Path(f"/proc/{leader}/root") / FACTS[Family.DEBIAN].database_mount.lstrip("/")
    if not mount.is_mount():
        return 0
    found = os.statvfs(mount)
    return (found.f_blocks - found.f_bfree) * found.f_frsize
