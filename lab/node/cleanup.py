"""Removing what guests hold in the kernel and on disk, whatever state they are in."""

from __future__ import annotations

import shutil
from pathlib import Path

from lab import mounts
from lab.config import Lab
from lab.host.control_groups import group_of
from lab.node import disks, network, record

CONSOLE = "console.log"
_NSPAWN_STATE = Path("/run/systemd/nspawn")


def machine_name(lab: Lab, uid: str) -> str:
    """Return the guest's name for systemd-nspawn, which is also that of its network namespace."""
    return f"{lab.name}-{uid[:8]}"


def release(lab: Lab, uid: str) -> None:
    """Kill what is left of a guest and release everything that it holds except its files; safe to repeat.

    Raises:
        LabError: Something is still in use.
        TimeoutError: A process doesn't end.
    """
    known = record.load(lab, uid)
    group = group_of(lab, uid)
    group.kill()
    group.remove()
    mounts.unmount(record.directory(lab, uid))
    for file in known.files if known else ():
        disks.detach(file)
    disks.detach_below(record.directory(lab, uid))
    network.down(network.network_of(lab, uid))
    for left in (_NSPAWN_STATE / "propagate", _NSPAWN_STATE / "unix-export"):
        shutil.rmtree(left / machine_name(lab, uid), ignore_errors=True)


def remove_files(lab: Lab, uid: str, *, keep_console: bool = False) -> None:
    """Remove a released guest's directory, or everything in it except the record and the console."""
    place = record.directory(lab, uid)
    if not keep_console:
        mounts.remove_tree(place)
        return
    for name in ("upper", "work", "root", "scratch"):
        mounts.remove_tree(place / name)


def remove_all(lab: Lab) -> None:
    """Remove every guest of the lab; stop the agent first, so that none is started meanwhile."""
    for uid in record.uids(lab):
        release(lab, uid)
        remove_files(lab, uid)
    disks.detach_below(lab.disks)
    mounts.remove_tree(lab.guests)
