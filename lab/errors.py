"""The lab's errors, and how a command line reports them."""

from __future__ import annotations

import errno
import sys

import typer

from kube.errors import ApiError


class LabError(Exception):
    """An expected failure. Its message says what failed, why, and what to do next."""


def run_command_line(app: typer.Typer, code: int = 1) -> None:
    """Run a command line. An expected error becomes a message on standard error and an exit code, not a traceback."""
    try:
        app()
    except (LabError, ApiError, OSError) as error:
        full = isinstance(error, OSError) and error.errno == errno.ENOSPC
        next_step = ". Make room, and run the same command again." if full else ""
        typer.echo(f"✗ {error}{next_step}", err=True)  # without markup, which would swallow a path in brackets
        sys.exit(code)
    except KeyboardInterrupt:
        typer.echo("Interrupted. Run the same command again to continue.", err=True)
        sys.exit(130)
