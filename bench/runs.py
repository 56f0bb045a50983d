"""Measured runs on a stack, by the program that a person would use."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from bench.stacks import Running
from lab.config import PROJECT, Lab
from lab.errors import LabError

_SLACK_SECONDS = 120.0


def start(
    lab: Lab, stack: Running, results: Path, *, rps: int, seconds: int, concurrency: int
) -> subprocess.Popen[str]:
    """Start `python -m measure run` at a constant rate."""
    where = ["--kubeconfig", str(lab.kubeconfig), "--namespace", stack.variant.stack, "--name", stack.variant.stack]
    load = ["--profile", "constant", "--rps", str(rps), "--for", f"{seconds}s", "--concurrency", str(concurrency)]
    return subprocess.Popen(
        [sys.executable, "-m", "measure", "run", *where, *load, "--results", str(results)],
        cwd=PROJECT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def summary(run: subprocess.Popen[str], results: Path, seconds: int) -> dict[str, Any]:
    """Wait for a run of so many seconds and return its summary.json.

    Raises:
        LabError: it did not pass.
    """
    try:
        said, _ = run.communicate(timeout=seconds + _SLACK_SECONDS)
    finally:
        run.kill()
    if run.returncode != 0:
        raise LabError(f"`python -m measure run` ended with {run.returncode} and said:\n{said[-1500:]}")
    (path,) = results.glob("*/summary.json")
    found: dict[str, Any] = json.loads(path.read_text())
    return found
