"""Interrupts by Ctrl-C or SIGTERM: the first asks for an orderly stop, the second ends the process at once."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event
from types import FrameType

from measure.failures import ExitCode

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def interruptible(before_exit: Callable[[], object]) -> Iterator[Event]:
    """Yield an event that the first signal sets.

    Args:
        before_exit: Called on the second signal, before the process ends.
    """
    stop = Event()

    def handle(_number: int, _frame: FrameType | None) -> None:
        if stop.is_set():
            before_exit()
            os._exit(ExitCode.INTERRUPTED)
        stop.set()

    previous = {number: signal.signal(number, handle) for number in _SIGNALS}
    try:
        yield stop
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
