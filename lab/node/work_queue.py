"""A queue of keys that several workers share, as in Kubernetes' own controllers."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Condition


class WorkQueue:
    """Keys with work to do, each once, however often it is added; two workers never have the same one."""

    def __init__(self) -> None:
        self._due: dict[str, float] = {}
        self._busy: set[str] = set()
        self._changed = Condition()

    def add(self, key: str, delay: float = 0.0) -> None:
        """Have a key worked on after `delay` seconds, or earlier if it was added with less."""
        with self._changed:
            due = time.monotonic() + delay
            self._due[key] = min(due, self._due.get(key, due))
            self._changed.notify()

    @contextmanager
    def next(self) -> Iterator[str]:
        """Wait for the next key and keep it from other workers while the body runs."""
        with self._changed:
            while (key := self._ready()) is None:
                self._changed.wait(self._seconds())
            del self._due[key]
            self._busy.add(key)
        try:
            yield key
        finally:
            with self._changed:
                self._busy.remove(key)
                self._changed.notify()

    def _ready(self) -> str | None:
        now = time.monotonic()
        return next((key for key, due in self._due.items() if due <= now and key not in self._busy), None)

    def _seconds(self) -> float | None:
        """Return the time until a delayed key is due; None if there is none."""
        waiting = [due for key, due in self._due.items() if key not in self._busy]
        return max(min(waiting) - time.monotonic(), 0) if waiting else None
