"""The ways in which measuring ends, each with the exit code that a pipeline sees."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """What the program's exit says."""

    PASSED = 0
    GATE_FAILED = 1
    WRONG_USAGE = 2
    NOT_SERVING = 3
    TIMED_OUT = 4
    INTERRUPTED = 130


class MeasureError(Exception):
    """Something that ends the program with one line; the words say what, why and what to do."""

    exit_code = ExitCode.TIMED_OUT


class WrongUsageError(MeasureError):
    """What was asked for can't be done; nothing was started."""

    exit_code = ExitCode.WRONG_USAGE


class NotServingError(MeasureError):
    """There is nothing to measure: no stack, no load generator, or a chain that doesn't answer."""

    exit_code = ExitCode.NOT_SERVING


class TimedOutError(MeasureError):
    """Something that should have come within a time did not."""

    exit_code = ExitCode.TIMED_OUT


class InterruptedRunError(MeasureError):
    """Somebody ended it."""

    exit_code = ExitCode.INTERRUPTED


class ApiAwayError(TimedOutError):
    """The API server gave no answer; it may the next time."""


class RefusedError(NotServingError):
    """The API server, or what it is a proxy for, answered with an error.

    Attributes:
        status: the HTTP status.
    """

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status
