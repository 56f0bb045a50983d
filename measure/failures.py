"""Exit codes, and the errors behind them."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Iterable
from enum import IntEnum
from pathlib import Path


class ExitCode(IntEnum):
    """Exit code of the program."""

    PASSED = 0
    GATE_FAILED = 1
    WRONG_USAGE = 2
    NOT_SERVING = 3
    NOT_COMPARABLE = 3
    TIMED_OUT = 4
    INTERRUPTED = 130


class MeasureError(Exception):
    """Failure that ends the program. Its message says what failed, why, and what to do next."""

    exit_code = ExitCode.TIMED_OUT


class WrongUsageError(MeasureError):
    """Request that can't be carried out; nothing was started."""

    exit_code = ExitCode.WRONG_USAGE


class NotServingError(MeasureError):
    """Nothing to measure: no stack, no load generator, or tiers that don't respond."""

    exit_code = ExitCode.NOT_SERVING


class TimedOutError(MeasureError):
    """Timeout while waiting for the cluster or the load generator."""

    exit_code = ExitCode.TIMED_OUT


class InterruptedRunError(MeasureError):
    """Run stopped by a signal or by another client."""

    exit_code = ExitCode.INTERRUPTED


class ApiUnreachableError(TimedOutError):
    """No response from the API server; a retry may succeed."""


class ApiStatusError(NotServingError):
    """Error response from the API server, or from what it proxies to.

    Attributes:
        status: The HTTP status.
    """

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


def unknown(what: str, word: str, known: Iterable[str]) -> WrongUsageError:
    """Return the error for a name that doesn't exist, with the closest one that does."""
    names = list(known)
    closest = difflib.get_close_matches(word, names, n=1, cutoff=0.0)[0]
    return WrongUsageError(f"Unknown {what} {word!r}: did you mean {closest}? Choose from {', '.join(names)}.")


def command(*arguments: str) -> str:
    """Return a command line of this program that works as typed in the current directory."""
    python, here = Path(sys.executable), Path.cwd()
    program = python.relative_to(here) if python.is_relative_to(here) else python
    return " ".join([str(program), "-m", "measure", *arguments])
