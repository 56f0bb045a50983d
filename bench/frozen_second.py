"""An application that freezes for a second under load, as an open model and a closed loop report it."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bench import closed_loop, runs
from bench.stacks import Running, Variant, running
from lab.config import Lab

RPS = 300
SECONDS = 20
CONCURRENCY = 50
FROZEN_SECONDS = 1.0
# Two connections with pauses send about the same rate, but only one request each meets the frozen second.
CLOSED_CONNECTIONS = 2
CLOSED_PAUSE_MS = 5
_DELAY_SECONDS = 8.0  # until the run has started


def measure(lab: Lab, results: Path, console: Console) -> dict[str, Any]:
    """Freeze the application while both generators run, and return the latencies that each reports, in milliseconds.

    Raises:
        LabError: A run failed.
    """
    with running(lab, [Variant("load", {"load": {"rps": 1}})]) as (stack,):
        return _measure(lab, stack, results, console)


def _measure(lab: Lab, stack: Running, results: Path, console: Console) -> dict[str, Any]:
    server = stack.guests.process(stack.guest("application"), "uvicorn")
    loop = {"connections": CLOSED_CONNECTIONS, "seconds": SECONDS, "pause_ms": CLOSED_PAUSE_MS}
    place = results / "frozen-second"
    run = runs.start(lab, stack, place, rps=RPS, seconds=SECONDS, concurrency=CONCURRENCY)
    with ThreadPoolExecutor(1) as pool:
        closed = pool.submit(closed_loop.run, lab, stack.url, **loop)
        time.sleep(_DELAY_SECONDS)
        stack.guests.freeze(server, FROZEN_SECONDS)
    summary = runs.summary(run, place, SECONDS)
    percentiles = ("count", "p50", "p99", "p999", "max")
    models = {
        "open": {name: summary["latency"]["total"][name] for name in percentiles},
        "closed": closed.result(),
    }
    found = ", ".join(f"{name} model p99.9 {figures['p999']:.0f} ms" for name, figures in models.items())
    console.print(f"frozen second: {found}")
    return {"rps": RPS, "frozen_ms": FROZEN_SECONDS * 1000, **models}


def table(found: dict[str, Any]) -> Table:
    """Return the latencies that each generator reported."""
    rows = Table("frozen second", "requests", "p50 ms", "p99 ms", "p99.9 ms", "max ms")
    for name in ("open", "closed"):
        one = found[name]
        rows.add_row(name, str(one["count"]), *(f"{one[key]:.1f}" for key in ("p50", "p99", "p999", "max")))
    return rows
