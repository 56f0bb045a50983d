"""The system's own programs, by which faults are put in force and undone."""

from __future__ import annotations

import subprocess

TIMEOUT = 20.0  # seconds


class EffectError(Exception):
    """A fault can't be put in force on this machine; the message says why."""


def run(*command: str, stdin: str = "") -> str:
    """Run a program and return its output.

    Raises:
        EffectError: It is missing, failed, or took too long.
    """
    try:
        done = subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=TIMEOUT, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise EffectError(f"{command[0]} can't be run: {error}") from None
    if done.returncode:
        said = " ".join(done.stderr.split()) or f"exit code {done.returncode}"
        raise EffectError(f"{' '.join(command[:3])}: {said}")
    return done.stdout


def attempt(*command: str, stdin: str = "") -> bool:
    """Run a program that may fail, and return whether it didn't."""
    try:
        run(*command, stdin=stdin)
    except EffectError:
        return False
    return True
