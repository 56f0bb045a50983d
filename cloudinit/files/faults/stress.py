"""Faults of the machine's resources: CPU time or memory that the tier doesn't get. They end with their processes."""

from __future__ import annotations

import mmap
import os
import time
from contextlib import suppress

_PERIOD = 0.02  # seconds; shorter than anyone notices, longer than a time slice
_PAGE = mmap.PAGESIZE
_CHUNK = 16 * 1024**2


class CpuStress:
    """Uses a share of the time of each CPU.

    Args:
        load: The share, from 0 to 1.
    """

    def __init__(self, load: float) -> None:
        self._load = load
        self._children: list[int] = []

    def begin(self) -> str:
        """Start a process for each CPU."""
        for cpu in os.sched_getaffinity(0):
            child = os.fork()
            if not child:
                self._burn(cpu)
            self._children.append(child)
        return ""

    def end(self) -> None:
        """End the processes."""
        for child in self._children:
            with suppress(ProcessLookupError):
                os.kill(child, 9)
            os.waitpid(child, 0)

    def undo(self) -> None:
        """Do nothing: systemd ends all of them."""

    def _burn(self, cpu: int) -> None:
        """Use the share of one CPU for ever."""
        try:
            os.sched_setaffinity(0, {cpu})
            while True:
                began, used = time.monotonic(), time.thread_time()
                while time.thread_time() - used < self._load * _PERIOD and time.monotonic() - began < _PERIOD:
                    pass
                time.sleep(max(0.0, _PERIOD - (time.monotonic() - began)))
        finally:
            os._exit(1)


class MemoryStress:
    """Holds memory.

    Its unit is the first that the kernel kills if the memory runs out (OOMScoreAdjust=), so that this ends the fault.

    Args:
        size: Number of bytes.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._memory: mmap.mmap | None = None

    def begin(self) -> str:
        """Allocate the memory, and write to each page, without which the kernel would not provide it."""
        self._memory = mmap.mmap(-1, self._size, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        filling = os.urandom(_PAGE) * (_CHUNK // _PAGE)
        for start in range(0, self._size, _CHUNK):
            self._memory[start : start + _CHUNK] = filling[: min(_CHUNK, self._size - start)]
        return ""

    def end(self) -> None:
        """Free the memory."""
        if self._memory:
            self._memory.close()

    def undo(self) -> None:
        """Do nothing: the memory is free once the process has ended."""
