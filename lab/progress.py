"""Progress on the terminal: the current step, how far it is, and how long it took."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape

_LOG_SECONDS = 30.0  # between lines where the output is not a terminal


class Step:
    """A piece of work in progress."""

    def __init__(self, console: Console, title: str) -> None:
        self._console = console
        self._title = title
        self._started = self._said = time.monotonic()
        self._status = console.status(escape(title)) if console.is_terminal else None

    def __enter__(self) -> Step:
        if self._status:
            self._status.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._status:
            self._status.stop()

    @property
    def seconds(self) -> float:
        """How long it has been running."""
        return time.monotonic() - self._started

    def say(self, detail: str) -> None:
        """Show how far it is."""
        if self._status:
            self._status.update(escape(f"{self._title}: {detail}, {self.seconds:.0f} s"))
        elif time.monotonic() - self._said > _LOG_SECONDS:
            self._said = time.monotonic()
            self._console.print(f"  {self._title}: {detail}, {self.seconds:.0f} s", highlight=False, markup=False)


class Progress:
    """A console that shows a live line for a running step, and a line with the time for a finished one."""

    def __init__(self, console: Console) -> None:
        self.console = console

    @contextmanager
    def step(self, title: str) -> Iterator[Step]:
        """Show a step while the body runs. A step of less than a second leaves no line."""
        step = Step(self.console, title)
        with step:
            yield step
        if step.seconds >= 1:
            self.console.print(f"[green]✓[/] {escape(title)} [dim]{step.seconds:.1f} s[/]", highlight=False)
