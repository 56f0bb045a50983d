"""A closed loop with k6: each connection sends its next request only after the response to the last one.

Most load generators work this way. They send nothing while the target is frozen, and so report little of it
(coordinated omission).
"""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path

from lab.command import run as run_command
from lab.config import Lab

_SCRIPT = Path(__file__).with_name("closed_loop.js")
_NAMES = {"count": "count", "p50": "med", "p99": "p(99)", "p999": "p(99.9)", "max": "max"}


def run(lab: Lab, url: str, *, connections: int, seconds: int, pause_ms: int) -> dict[str, float]:
    """Request random accounts.

    Args:
        lab: The lab, which has k6.
        url: Base URL without a trailing slash.
        connections: Number of concurrent connections.
        seconds: Duration.
        pause_ms: Pause of a connection after each response.

    Returns:
        The number of responses and percentiles of the latency in milliseconds.

    Raises:
        LabError: k6 failed.
    """
    settings = {"TARGET": url, "CONNECTIONS": connections, "SECONDS": seconds, "PAUSE_MS": pause_ms}
    with tempfile.TemporaryDirectory() as directory:
        summary = Path(directory) / "summary.json"
        options = ["--quiet", "--no-usage-report", "--address=", f"--summary-export={summary}"]
        run_command(
            lab.binaries / "k6",
            "run",
            *options,
            _SCRIPT,
            env={**os.environ, **{name: str(value) for name, value in settings.items()}},
            timeout=seconds + 60,
            failure="k6 failed",
        )
        times = json.loads(summary.read_text())["metrics"]["http_req_duration"]
    return {name: float(times[key]) for name, key in _NAMES.items()}
