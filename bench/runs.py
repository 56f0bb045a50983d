"""Measured runs of load on a stack, by the same command that a user runs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from bench.stacks import Running
from lab.config import PROJECT, Lab
from lab.errors import LabError

_MARGIN_SECONDS = 120.0  # for preparation and the report


def start(
    lab: Lab, stack: Running, results: Path, *, rps: int, seconds: int, concurrency: int
) -> subprocess.Popen[str]:
    """Start a run at a constant rate."""
    where = ["--kubeconfig", str(lab.kubeconfig), "--namespace", stack.variant.stack, "--name", stack.variant.stack]
    judged_here = ["--gate", "error_rate=none", "--gate", "delivered_share=none"]  # a poor figure is a result, too
    load = ["--profile", "constant", "--rps", str(rps), "--for", f"{seconds}s", "--concurrency", str(concurrency)]
    return subprocess.Popen(
        [sys.executable, "-m", "measure", "run", *where, *load, *judged_here, "--results", str(results)],
        cwd=PROJECT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def summary(run: subprocess.Popen[str], results: Path, seconds: int) -> dict[str, Any]:
    """Wait for a run to finish and return its summary.json.

    Args:
        run: The process.
        results: Directory of its results.
        seconds: Duration of the load.

    Raises:
        LabError: It failed or took too long.
    """
    try:
        output, _ = run.communicate(timeout=seconds + _MARGIN_SECONDS)
    finally:
        run.kill()
    if run.returncode != 0:
        raise LabError(f"The run failed with exit code {run.returncode}:\n{output[-1500:]}")
    (path,) = results.glob("*/summary.json")
    found: dict[str, Any] = json.loads(path.read_text())
    return found
