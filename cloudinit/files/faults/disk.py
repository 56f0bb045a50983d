"""Faults of the data disk: it is full, or slow."""

from __future__ import annotations

import errno
import fcntl
import os
import threading
from contextlib import suppress
from pathlib import Path

from .commands import EffectError

_FREEZE, _THAW = 0xC0045877, 0xC0045878  # linux/fs.h: FIFREEZE, FITHAW
_PAUSE_SHARE, _LEAST_PAUSE = 0.1, 0.001  # of the latency, and seconds
_LEAST_PIECE = 64 * 1024


class DiskFill:
    """Fills a file system with a file that has no name: its space is free once its process has ended, however it ends.

    Args:
        mount: Where the file system is mounted.
        fill: Share of the space that is used then, from 0 to 1; of the space that others than root can use.
    """

    def __init__(self, mount: Path, fill: float) -> None:
        self._mount = mount
        self._fill = fill
        self._file = -1

    def begin(self) -> str:
        """Allocate the space."""
        _check_mounted(self._mount)
        self._file = os.open(self._mount, os.O_TMPFILE | os.O_RDWR, 0o600)
        while (missing := self._missing()) >= _LEAST_PIECE:
            self._allocate(missing)
        return ""

    def end(self) -> None:
        """Free the space."""
        os.close(self._file)

    def undo(self) -> None:
        """Do nothing: the space is free once the process has ended."""

    def _missing(self) -> int:
        """Return how many more bytes have to be used."""
        found = os.statvfs(self._mount)
        usable = found.f_blocks - (found.f_bfree - found.f_bavail)
        free = round(usable * (1 - self._fill))
        return (found.f_bavail - free) * found.f_frsize

    def _allocate(self, size: int) -> None:
        end = os.fstat(self._file).st_size
        while True:
            try:
                return os.posix_fallocate(self._file, end, size)
            except OSError as error:
                # Metadata needs some of the space that is left.
                if error.errno != errno.ENOSPC or size < 2 * _LEAST_PIECE:
                    raise
                size //= 2


class DiskLatency:
    """Lets writes to a file system wait: it stands still for a time, again and again, as while a snapshot is taken.

    Works without control groups and without another block device, so on any guest.

    Args:
        mount: Where the file system is mounted.
        latency: Seconds that a write waits at most.
    """

    def __init__(self, mount: Path, latency: float) -> None:
        self._mount = mount
        self._latency = latency
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._repeat, name="disk", daemon=True)

    def begin(self) -> str:
        """Let it stand still for the first time."""
        _check_mounted(self._mount)
        self._call(_FREEZE)
        self._thread.start()
        return ""

    def end(self) -> None:
        """Let all writes through."""
        self._stop.set()
        self._thread.join()
        self.undo()

    def undo(self) -> None:
        """Let all writes through, if it stands still."""
        with suppress(OSError):  # it doesn't
            self._call(_THAW)

    def _repeat(self) -> None:
        while True:
            stopped = self._stop.wait(self._latency)
            self._call(_THAW)
            if stopped or self._stop.wait(max(_LEAST_PAUSE, self._latency * _PAUSE_SHARE)):
                return
            self._call(_FREEZE)

    def _call(self, request: int) -> None:
        directory = os.open(self._mount, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.ioctl(directory, request, 0)
        finally:
            os.close(directory)


def _check_mounted(mount: Path) -> None:
    """Check that the data disk is there: otherwise the fault would be one of the root disk.

    Raises:
        EffectError: It isn't.
    """
    if not os.path.ismount(mount):
        raise EffectError(f"nothing is mounted at {mount}")
