"""The lab's errors, and how a command line reports them."""

from __future__ import annotations

import sys

import typer

from kube.errors import ApiError


class LabError(Exception):
    """An expected failure. Its message says what failed, why, and what to do next."""


def run_command_line(app: typer.Typer, *expected: type[Exception], code: int = 1) -> None:
    """Run a command line; an expected error becomes a message on standard error and an exit code, not a traceback.

    Args:
        app: the commands.
        expected: exceptions to report besides `LabError` and `ApiError`.
        code: the exit code for them.
    """
    reported: tuple[type[Exception], ...] = (LabError, ApiError, *expected)
    try:
        app()
    except reported as error:
        typer.echo(f"✗ {error}", err=True)  # as it is: markup would swallow a path in brackets
        sys.exit(code)
    except KeyboardInterrupt:
        typer.echo("Interrupted. Run the same command again to continue.", err=True)
        sys.exit(130)
