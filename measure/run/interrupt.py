"""Ending by Ctrl-C or a pipeline's SIGTERM: the first asks for an orderly end, the second ends at once."""

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
def interruptible(at_once: Callable[[], object]) -> Iterator[Event]:
    """Yield what is set by the first signal.

    Args:
        at_once: called by the second, before the process ends without further ado.
    """
    stop = Event()

    def handle(_number: int, _frame: FrameType | None) -> None:
        if stop.is_set():
            at_once()
            os._exit(ExitCode.INTERRUPTED)
        stop.set()

    before = {number: signal.signal(number, handle) for number in _SIGNALS}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
