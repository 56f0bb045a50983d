"""Saturation with wrk: every connection sends its next request as soon as it has a response."""

from __future__ import annotations

import os
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path

from lab.command import run
from lab.errors import LabError
from lab.toolchain import debian_package

_SCRIPT = Path(__file__).with_name("saturation.lua")


@dataclass(frozen=True, slots=True)
class Wrk:
    """wrk as Debian packages it.

    Attributes:
        program: Its path.
        libraries: The directory of its libraries.
    """

    program: Path
    libraries: Path


def unpacked() -> Wrk:
    """Return wrk, downloaded unless the cache has it.

    Raises:
        LabError: It can't be downloaded.
    """
    directory = debian_package.unpack("wrk", "libluajit-5.1-2")
    (library,) = directory.glob("usr/lib/*/libluajit-5.1.so.2")
    return Wrk(directory / "usr" / "bin" / "wrk", library.parent)


def per_second(url: str, *, connections: int, seconds: int, traced: float = 0.0, path: str = "") -> float:
    """Request random accounts as fast as the target responds, and return the number of responses per second.

    Args:
        url: Base URL without a trailing slash.
        connections: Number of concurrent connections.
        seconds: Duration.
        traced: Share of requests with the sampled flag in their traceparent.
        path: A path to request instead of random accounts.

    Raises:
        LabError: wrk failed, or a response was wrong.
    """
    wrk = unpacked()
    options = ("-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s", "-s", _SCRIPT)
    with tempfile.TemporaryDirectory() as directory:
        output = run(
            wrk.program,
            *options,
            url,
            "--",
            str(traced),
            *([path] if path else []),
            cwd=Path(directory),
            env={**os.environ, "LD_LIBRARY_PATH": str(wrk.libraries)},
            timeout=seconds + 60,
            failure="wrk failed",
        )
    found = {name: int(value) for name, value in re.findall(r"^result (\w+) (\d+)$", output, re.M)}
    if not found:
        raise LabError(f"wrk printed no result: {output.strip()[-500:]}")
    if found["wrong"]:
        raise LabError(f"{found['wrong']} of {found['count']} responses of {url} were wrong.")
    return found["count"] / (found["microseconds"] / 1e6)
