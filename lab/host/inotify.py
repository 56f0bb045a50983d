"""The kernel's limit on root's inotify instances, of which each guest's systemd needs some."""

from __future__ import annotations

import ctypes
import os
from contextlib import suppress
from pathlib import Path

from lab.config import Lab
from lab.files import write_private
from lab.host import network

_LIMIT = Path("/proc/sys/fs/inotify/max_user_instances")
# This machine's limit before the first lab raised it, and the raised one. Like the change, it is gone after a reboot.
_FORMER = Path("/run/multi-tier-max_user_instances")
_LIBC = ctypes.CDLL(None)
_GUEST_INSTANCES = 8  # a guest's systemd and logind use 6, measured
_GUEST_BYTES = 64 << 20  # the smallest guest uses more, so memory is used up before there are more guests than this


def up() -> None:
    """Raise the limit by what guests need until memory ends, if it is lower. A limit that can't be changed stays."""
    former = int(_LIMIT.read_text())
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    needed = memory // _GUEST_BYTES * _GUEST_INSTANCES
    if former < needed and os.access(_LIMIT, os.W_OK):
        raised = former + needed
        write_private(_FORMER, f"{former} {raised}".encode())
        with suppress(OSError):
            _LIMIT.write_text(str(raised))


def down(lab: Lab) -> None:
    """Restore the limit if no other lab is up, and if nobody else has changed it since."""
    if not _FORMER.exists() or network.others(lab):
        return
    former, raised = _FORMER.read_text().split()
    if _LIMIT.read_text().strip() == raised:
        _LIMIT.write_text(former)
    _FORMER.unlink()


def shortage(guests: int) -> str | None:
    """Return what to do if some more guests can't have their instances; None if they can."""
    opened: list[int] = []
    try:
        while len(opened) < guests * _GUEST_INSTANCES:
            descriptor = _LIBC.inotify_init1(os.O_CLOEXEC)
            if descriptor < 0:
                limit = _LIMIT.read_text().strip()
                return (
                    f"Of the {limit} inotify instances that this machine allows root, too few are left for a guest to "
                    "boot. Raise the limit: sysctl -w fs.inotify.max_user_instances=1024"
                )
            opened.append(descriptor)
    finally:
        for descriptor in opened:
            os.close(descriptor)
    return None
