"""The kernel's limit on inotify instances, of which each guest's systemd needs some, as this machine's root user."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

_LIMIT = Path("/proc/sys/fs/inotify/max_user_instances")
_LIBC = ctypes.CDLL(None)


def shortage(count: int) -> str | None:
    """Return what to do if this user can't have `count` more instances; None if it can."""
    opened: list[int] = []
    try:
        while len(opened) < count:
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
