"""A closed loop: a connection sends its next request only after the answer to the last one. By k6.

What most load generators do. A target that stands still is asked nothing meanwhile, and so nothing of it is reported.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from pathlib import Path

from lab.config import Lab
from lab.errors import LabError

_SCRIPT = Path(__file__).with_name("closed_loop.js")
_NAMES = {"count": "count", "p50": "med", "p99": "p(99)", "p999": "p(99.9)", "max": "max"}


def run(lab: Lab, url: str, *, connections: int, seconds: int, pause_ms: int) -> dict[str, float]:
    """Ask for random accounts.

    Args:
        lab: whose k6 to use.
        url: base URL, without a trailing slash.
        connections: how many ask at a time.
        seconds: how long.
        pause_ms: how long a connection waits after each answer.

    Returns:
        How many answers there were, and percentiles of their times in milliseconds.

    Raises:
        LabError: k6 failed.
    """
    settings = {"TARGET": url, "CONNECTIONS": connections, "SECONDS": seconds, "PAUSE_MS": pause_ms}
    with tempfile.TemporaryDirectory() as directory:
        summary = Path(directory) / "summary.json"
        options = ["--quiet", "--no-usage-report", "--address=", f"--summary-export={summary}"]
        done = subprocess.run(
            [str(lab.binaries / "k6"), "run", *options, str(_SCRIPT)],
            env={**os.environ, **{name: str(value) for name, value in settings.items()}},
            capture_output=True,
            text=True,
            timeout=seconds + 60,
            check=False,
        )
        if done.returncode != 0:
            raise LabError(f"k6 failed: {done.stderr.strip()[-500:]}")
        times = json.loads(summary.read_text())["metrics"]["http_req_duration"]
    return {name: float(times[key]) for name, key in _NAMES.items()}
