"""Progress on the terminal: the current step, how far it is, and how long it took."""

from __future__ import annotations

import time

from rich.console import Console
from rich.markup import escape

_LOG_SECONDS = 30.0  # between lines where the output is not a terminal


class Step:
    """A piece of work in progress. A line with its time remains if it takes at least a second."""

    def __init__(self, console: Console, title: str) -> None:
        self._console = console
        self._title = title
        self._started = self._printed = time.monotonic()
        self._status = console.status(escape(title)) if console.is_terminal else None

    def __enter__(self) -> Step:
        if self._status:
            self._status.start()
        return self

    def __exit__(self, error: type[BaseException] | None, *_: object) -> None:
        if self._status:
            self._status.stop()
        if error is None and self.seconds >= 1:
            line = f"[green]✓[/] {escape(self._title)} [dim]{self.seconds:.1f} s[/]"
            self._console.print(line, highlight=False)

    @property
    def seconds(self) -> float:
        """How long it has been running."""
        return time.monotonic() - self._started

    def say(self, detail: str) -> None:
        """Show how far it is."""
        line = escape(f"{self._title}: {detail}, {self.seconds:.0f} s")
        if self._status:
            self._status.update(line)
        elif time.monotonic() - self._printed > _LOG_SECONDS:
            self._printed = time.monotonic()
            self._console.print(f"  {line}", highlight=False)


class Progress:
    """A console that shows steps."""

    def __init__(self, console: Console) -> None:
        self.console = console

    def step(self, title: str) -> Step:
        """Return a step to show while a `with` body runs."""
        return Step(self.console, title)
