"""Telling the person at the terminal what is going on, how far it is and how long it took."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console

_LOG_EVERY = 30.0  # seconds, where the output is a log and no status line can be redrawn


class Step:
    """One piece of work in progress."""

    def __init__(self, console: Console, title: str) -> None:
        self._console = console
        self._title = title
        self._started = self._said = time.monotonic()
        self._status = console.status(title) if console.is_terminal else None

    def __enter__(self) -> Step:
        if self._status:
            self._status.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._status:
            self._status.stop()

    @property
    def seconds(self) -> float:
        """How long it has been going on."""
        return time.monotonic() - self._started

    def say(self, detail: str) -> None:
        """Show how far it is."""
        if self._status:
            self._status.update(f"{self._title}: {detail}, {self.seconds:.0f} s")
        elif time.monotonic() - self._said > _LOG_EVERY:
            self._said = time.monotonic()
            self._console.print(f"  {self._title}: {detail}, {self.seconds:.0f} s", highlight=False)


class Progress:
    """A console that shows steps: a live line while one runs, a plain one with its time when it is done."""

    def __init__(self, console: Console) -> None:
        self.console = console

    @contextmanager
    def step(self, title: str) -> Iterator[Step]:
        """Show a step while the body runs; one that takes no time leaves no line."""
        step = Step(self.console, title)
        with step:
            yield step
        if step.seconds >= 1:
            self.console.print(f"[green]✓[/] {title} [dim]{step.seconds:.1f} s[/]", highlight=False)
