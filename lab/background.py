"""Work that repeats in the background."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager


@contextmanager
def repeating(action: Callable[[], None], seconds: float) -> Iterator[None]:
    """Call a function at an interval, in a thread, while the body runs. An exception ends it and is raised at the end.

    Args:
        action: The function.
        seconds: The pause before each call.
    """
    ended = threading.Event()

    def repeat() -> None:
        while not ended.wait(seconds):
            action()

    with ThreadPoolExecutor(1) as pool:
        result = pool.submit(repeat)
        try:
            yield
        finally:
            ended.set()
        result.result()
