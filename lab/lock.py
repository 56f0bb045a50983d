"""A lab's lock: one command at a time starts, stops or changes it."""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from lab.config import Lab
from lab.errors import LabError

_CREDENTIALS = struct.Struct("3i")  # struct ucred: pid, uid, gid


@contextmanager
def held(lab: Lab) -> Iterator[None]:
    """Keep other commands from changing a lab while the body runs.

    Raises:
        LabError: One is changing it.
    """
    # The name of an abstract socket ends with the process that bound it, however that ends.
    name = f"\0{lab.name}-lock"
    with socket.socket(socket.AF_UNIX) as lock:
        try:
            lock.bind(name)
        except OSError:
            what = f"{_holder(name)} is starting, stopping or changing the lab in {lab.root}"
            raise LabError(f"{what}. Wait until it ends, and run the same command again.") from None
        lock.listen()
        yield


def _holder(name: str) -> str:
    with suppress(OSError), socket.socket(socket.AF_UNIX) as client:
        client.connect(name)
        pid, _, _ = _CREDENTIALS.unpack(client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size))
        return "This process" if pid == os.getpid() else f"Process {pid}"
    return "Another process"
