"""An open loop with k6: requests at a constant rate, whatever the responses take."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path

from lab.command import run
from lab.config import Lab

_SCRIPT = Path(__file__).with_name("open_loop.js")


def latency(lab: Lab, url: str, *, rate: int, seconds: int) -> dict[str, float]:
    """Request random accounts, and return the median and the 99th percentile of the latency, in ms.

    Raises:
        LabError: k6 failed.
    """
    settings = {"TARGET": url, "RATE": rate, "SECONDS": seconds}
    with tempfile.TemporaryDirectory() as directory:
        summary = Path(directory) / "summary.json"
        options = ["--quiet", "--no-usage-report", "--address=", f"--summary-export={summary}"]
        run(
            lab.binaries / "k6",
            "run",
            *options,
            _SCRIPT,
            env={**os.environ, **{name: str(value) for name, value in settings.items()}},
            timeout=seconds + 60,
            failure="k6 failed",
        )
        times = json.loads(summary.read_text())["metrics"]["http_req_duration"]
    return {"p50": float(times["med"]), "p99": float(times["p(99)"])}
