"""An application that stands still for a second under load: what our generator reports, and what a closed loop does."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

from rich.console import Console

from bench import closed_loop, runs
from bench.stacks import Running
from lab.config import Lab

RPS = 300
SECONDS = 20
CONCURRENCY = 50
FROZEN_SECONDS = 1.0
# Two connections that pause send about the same rate; only they meet the second that the application stands still.
CLOSED_CONNECTIONS = 2
CLOSED_PAUSE_MS = 5
_BEFORE_SECONDS = 8.0  # until the run is under way


def measure(lab: Lab, stack: Running, results: Path, console: Console) -> dict[str, Any]:
    """Freeze the application for a second while both generators run, and return what each reports, in milliseconds.

    Raises:
        LabError: a run failed.
    """
    (application,) = (name for name in stack.guests.names() if name.endswith("-application-0"))
    server = stack.guests.process(application, "uvicorn", "application.server:application")
    closed: list[dict[str, float]] = []

    def loop() -> None:
        closed.append(
            closed_loop.run(lab, stack.url, connections=CLOSED_CONNECTIONS, seconds=SECONDS, pause_ms=CLOSED_PAUSE_MS)
        )

    place = results / "frozen-second"
    run = runs.start(lab, stack, place, rps=RPS, seconds=SECONDS, concurrency=CONCURRENCY)
    beside = threading.Thread(target=loop)
    beside.start()
    time.sleep(_BEFORE_SECONDS)
    stack.guests.freeze(server, FROZEN_SECONDS)
    beside.join()
    summary = runs.summary(run, place, SECONDS)
    ours = summary["latency"]["total"]
    found = {
        "rps": RPS,
        "frozen_ms": FROZEN_SECONDS * 1000,
        "open": {name: ours[name] for name in ("count", "p50", "p99", "p999", "max")},
        "closed": closed[0],
    }
    console.print(
        f"frozen second: open model p99.9 {ours['p999']:.0f} ms, closed loop p99.9 {closed[0]['p999']:.0f} ms"
    )
    return found
