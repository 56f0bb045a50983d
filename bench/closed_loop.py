"""A closed loop: every connection sends its next request when it has the answer to the last one.

For the most that a target can answer, and to show what such a generator does not see. The generator is wrk.
"""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from lab import debian_package
from lab.config import LabError

_SCRIPT = Path(__file__).with_name("closed_loop.lua")
_MICROSECONDS_OF_MS = 1000.0


@dataclass(frozen=True, slots=True)
class Answers:
    """What a closed loop saw.

    Attributes:
        count: answers.
        wrong: answers that weren't 2xx, and connections that broke or timed out.
        per_second: answers per second.
        p50, p99, p999, longest: times, in milliseconds.
    """

    count: int
    wrong: int
    per_second: float
    p50: float
    p99: float
    p999: float
    longest: float


def run(url: str, *, connections: int, seconds: int, traced: float = 0.0, pause_ms: int = 0) -> Answers:
    """Ask for random accounts through a closed loop.

    Args:
        url: base URL, without a trailing slash.
        connections: how many ask at a time.
        seconds: how long.
        traced: share of requests whose traceparent says that they are sampled.
        pause_ms: how long a connection waits after each answer.

    Raises:
        LabError: wrk failed.
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
            [*command, "--", str(traced), str(pause_ms)],
            cwd=directory,
            env=environment,
            capture_output=True,
            text=True,
            timeout=seconds + 60,
            check=False,
        )
    found = dict(re.findall(r"^result (\w+) ([0-9.]+)$", done.stdout, re.M))
    if done.returncode != 0 or not found:
        raise LabError(f"wrk failed: {(done.stderr or done.stdout).strip()[-500:]}")
    return Answers(
        count=int(found["count"]),
        wrong=int(found["wrong"]),
        per_second=int(found["count"]) / (float(found["duration"]) / 1e6),
        **{name: float(found[name]) / _MICROSECONDS_OF_MS for name in ("p50", "p99", "p999", "longest")},
    )
