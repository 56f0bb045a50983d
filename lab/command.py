"""Running a tool of this machine."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Mapping
from pathlib import Path

from lab.errors import LabError

_LAST_CHARACTERS = 1500


def run(
    *command: str | Path,
    failure: str = "",
    stdin: str | None = None,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    timeout: float | None = 60.0,
) -> str:
    """Run a program and return its standard output.

    Args:
        command: The program and its arguments.
        failure: What the error says first; default: that the command failed.
        stdin: Text for its standard input.
        cwd: Its working directory.
        env: Its environment; default: this process's.
        timeout: Seconds; None for no limit.

    Raises:
        LabError: It is missing, failed, or took too long. The message ends with the last of its output.
    """
    words = [str(word) for word in command]
    failure = failure or f"`{shlex.join(words)}` failed"
    try:
        done = subprocess.run(
            words, input=stdin, capture_output=True, text=True, cwd=cwd, env=env, timeout=timeout, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise LabError(f"{failure}: {error}") from None
    if done.returncode != 0:
        raise LabError(f"{failure}: {(done.stderr.strip() or done.stdout.strip())[-_LAST_CHARACTERS:]}")
    return done.stdout
