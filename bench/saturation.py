"""As many requests as a target answers: every connection sends its next one when it has an answer. By wrk."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from pathlib import Path

from lab.errors import LabError
from lab.toolchain import debian_package

_SCRIPT = Path(__file__).with_name("saturation.lua")


def per_second(url: str, *, connections: int, seconds: int, traced: float = 0.0) -> float:
    """Ask for random accounts as fast as the answers come, and return how many came per second.

    Args:
        url: base URL, without a trailing slash.
        connections: how many ask at a time.
        seconds: how long.
        traced: share of requests whose traceparent says that they are sampled.

    Raises:
        LabError: wrk failed, or an answer was wrong.
    """
    unpacked = debian_package.unpack("wrk", "libluajit-5.1-2")
    (library,) = unpacked.glob("usr/lib/*/libluajit-5.1.so.2")
    environment = {**os.environ, "LD_LIBRARY_PATH": str(library.parent)}
    command = [
        str(unpacked / "usr" / "bin" / "wrk"),
        "-t1",
        f"-c{connections}",
        f"-d{seconds}s",
        "--timeout",
        "10s",
        "-s",
        str(_SCRIPT),
        url,
    ]
    with tempfile.TemporaryDirectory() as directory:
        done = subprocess.run(
            [*command, "--", str(traced)],
            cwd=directory,
            env=environment,
            capture_output=True,
            text=True,
            timeout=seconds + 60,
            check=False,
        )
    found = {name: int(value) for name, value in re.findall(r"^result (\w+) (\d+)$", done.stdout, re.M)}
    if done.returncode != 0 or not found:
        raise LabError(f"wrk failed: {(done.stderr or done.stdout).strip()[-500:]}")
    if found["wrong"]:
        raise LabError(f"{found['wrong']} of {found['count']} answers of {url} were wrong.")
    return found["count"] / (found["microseconds"] / 1e6)
