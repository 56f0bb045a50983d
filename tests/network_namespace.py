"""Sockets in other network namespaces, such as those of guests, for the tests' own process."""

from __future__ import annotations

import ctypes
import os
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

_NEW_NETWORK = 0x40000000  # CLONE_NEWNET of sched.h


def socket_in(namespace: Path, make: Callable[[], socket.socket]) -> socket.socket:
    """Return a socket made in a network namespace, in which it stays."""

    def enter() -> None:
        descriptor = os.open(namespace, os.O_RDONLY)
        # Of this thread alone, which ends right away; Python has a function for it from 3.12 on.
        entered = ctypes.CDLL(None, use_errno=True).setns(descriptor, _NEW_NETWORK) == 0
        assert entered, os.strerror(ctypes.get_errno())
        os.close(descriptor)

    with ThreadPoolExecutor(1, initializer=enter) as thread:
        return thread.submit(make).result()
