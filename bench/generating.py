"""Our load generator and its peers at the same job: what they deliver, what they use, and whether their p99 is true.

The tiers serve all of them, one at a time. For the last question, the application freezes for a moment every second: a
request that is due in that time waits for its end, so the true percentile follows from when it was frozen.
"""

from __future__ import annotations

import random
import statistics
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from bench import generators
from bench.figures import figure, missing, text
from bench.generators import OURS, Load
from bench.stacks import Running, Variant, running
from lab.config import Lab

RATES, QUICK_RATES = (50, 300, 1000), (1000,)
SECONDS, QUICK_SECONDS = 20, 8
REPEATS, QUICK_REPEATS = 3, 1
FREEZE_RATE = 200
FREEZE_SECONDS = 0.1
FREEZE_EVERY_SECONDS = 1.0
GRID_SECONDS = 0.0005  # of the arrivals that the true percentile is computed from


def measure(lab: Lab, directory: Path, console: Console, *, quick: bool) -> dict[str, Any]:
    """Measure every generator that there is, in interleaved repeats.

    Raises:
        LabError: One failed.
    """
    seconds = QUICK_SECONDS if quick else SECONDS
    runs: list[dict[str, Any]] = []
    with running(lab, [Variant("load", {"load": {"rps": 1}})]) as (stack,):
        tools, absent = generators.available(lab, stack, directory, console)
        server = stack.guests.process(stack.guest("application"), "uvicorn")
        for _ in range(QUICK_REPEATS if quick else REPEATS):
            for rate in QUICK_RATES if quick else RATES:
                order = random.sample(list(tools), len(tools))
                runs += [_run(tool, tools[tool](rate, seconds), rate, seconds) for tool in order]
            for tool in random.sample(list(tools), len(tools)):
                with _freezing(stack, server) as frozen:
                    load = tools[tool](FREEZE_RATE, seconds)
                truth = true_p99(frozen, load.began, load.ended)
                runs.append({**_run(tool, load, FREEZE_RATE, seconds), "true_p99_ms": truth})
            said = (f"{one['tool']} at {one['rate']}/s p99 {one['p99_ms']:.1f} ms" for one in runs[-len(tools) :])
            console.print(f"frozen {FREEZE_SECONDS * 1000:.0f} ms a second: {', '.join(said)}", highlight=False)
    return {**figures(runs, absent), "runs": runs}


def _run(tool: str, load: Load, rate: int, seconds: int) -> dict[str, Any]:
    return {
        "tool": tool,
        "rate": rate,
        "sent": load.requests,
        "delivered": load.requests / (rate * seconds) if load.paced else None,
        "cpu_us": load.cpu_seconds * 1e6 / load.requests,
        "p99_ms": load.p99_ms,
    }


@contextmanager
def _freezing(stack: Running, process: int) -> Iterator[list[tuple[float, float]]]:
    """Freeze a process once a second while the body runs; fill in when."""
    frozen: list[tuple[float, float]] = []
    ended = threading.Event()

    def repeat() -> None:
        while not ended.wait(FREEZE_EVERY_SECONDS - FREEZE_SECONDS):
            began = time.monotonic()
            stack.guests.freeze(process, FREEZE_SECONDS)
            frozen.append((began, time.monotonic()))

    thread = threading.Thread(target=repeat)
    thread.start()
    try:
        yield frozen
    finally:
        ended.set()
        thread.join()


def true_p99(frozen: list[tuple[float, float]], began: float, ended: float) -> float:
    """Return the 99th percentile of how long requests wait that are due at even intervals, in milliseconds.

    Args:
        frozen: When the server was frozen: starts and ends.
        began: When the first request was due.
        ended: When the last one was due.
    """
    due = np.arange(began, ended, GRID_SECONDS)
    waits = np.zeros(len(due))
    for start, end in frozen:
        within = (due >= start) & (due < end)
        waits[within] = end - due[within]
    return float(np.percentile(waits, 99)) * 1000


def figures(runs: list[dict[str, Any]], absent: Mapping[str, str]) -> dict[str, Any]:
    """Return the figures by name: ours plainly, the peers' with their names in front."""
    found: dict[str, Any] = {}
    for tool in dict.fromkeys((*(one["tool"] for one in runs), *absent)):
        prefix = "" if tool == OURS else f"{tool}_"
        steady = [one for one in runs if one["tool"] == tool and "true_p99_ms" not in one]
        for rate in RATES:
            delivered = [one["delivered"] for one in steady if one["rate"] == rate and one["delivered"] is not None]
            reason = absent.get(tool) or ("not measured at this rate" if tool != "wrk" else "it has no rate")
            found[f"{prefix}delivered_at_{rate}"] = figure(delivered) if delivered else missing(reason)
        frozen = [one for one in runs if one["tool"] == tool and "true_p99_ms" in one]
        errors = [one["p99_ms"] / one["true_p99_ms"] - 1 for one in frozen]
        found[f"{prefix}p99_error"] = figure(errors) if errors else missing(absent.get(tool, "not measured"))
        fastest = [one["cpu_us"] for one in steady if one["rate"] == RATES[-1]]
        found[f"{prefix}cpu_us_per_request"] = figure(fastest) if fastest else missing(absent.get(tool, "not measured"))
    return found


def table(found: dict[str, Any]) -> Table:
    """Return what each generator delivered, used and reported."""
    rate = RATES[-1]
    rows = Table("generator", f"delivered at {rate}/s", f"CPU us/request at {rate}/s", "p99 ms", "true p99 ms", "error")
    for tool in dict.fromkeys(one["tool"] for one in found["runs"]):
        prefix = "" if tool == OURS else f"{tool}_"
        frozen = [one for one in found["runs"] if one["tool"] == tool and "true_p99_ms" in one]
        medians = (f"{statistics.median(one[key] for one in frozen):.1f}" for key in ("p99_ms", "true_p99_ms"))
        first = (text(found[f"{prefix}{name}"]) for name in (f"delivered_at_{rate}", "cpu_us_per_request"))
        rows.add_row(tool, *first, *medians, text(found[f"{prefix}p99_error"]))
    return rows
