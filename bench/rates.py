"""What is delivered of what is asked, how evenly, and whether the numbers add up."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.console import Console

from bench import runs
from bench.stacks import Running
from lab.config import Lab

RATES = (50, 300, 1000)
SECONDS = 30
CONCURRENCY = 50
LEAST_DELIVERED = 0.999
MOST_UNEVEN = 1.2  # variance over mean of the arrivals in each 10 ms; 1 is what chance makes
MOST_APART = 0.02  # the sum of the parts' medians from the total's median


def measure(lab: Lab, stack: Running, results: Path, console: Console) -> list[dict[str, Any]]:
    """Run each rate once and return what was delivered.

    Raises:
        LabError: a run failed.
    """
    found = []
    for rate in RATES:
        place = results / f"rate-{rate}"
        run = runs.start(lab, stack, place, rps=rate, seconds=SECONDS, concurrency=CONCURRENCY)
        found.append(_result(rate, runs.summary(run, place, SECONDS)))
        console.print(f"{rate} requests/s: {found[-1]['delivered_share']:.4%} delivered, p99 {found[-1]['p99']:.2f} ms")
    return found


def _result(rate: int, summary: dict[str, Any]) -> dict[str, Any]:
    delivery, consistency = summary["delivery"], summary["consistency"]
    return {
        "rps": rate,
        "seconds": SECONDS,
        "delivered_share": delivery["delivered_share"],
        "problem": delivery["shortfall"],
        "errors": delivery["errors"],
        "evenness": delivery["burstiness"],
        "p50": summary["latency"]["total"]["p50"],
        "p99": summary["latency"]["total"]["p99"],
        "invariants_held": consistency["consistent"] / consistency["checked"],
        "p50_sum": summary["parts_over_p50"],
        "within_limits": delivery["delivered_share"] >= LEAST_DELIVERED
        and delivery["burstiness"] <= MOST_UNEVEN
        and consistency["consistent"] == consistency["checked"]
        and abs(summary["parts_over_p50"] - 1) <= MOST_APART,
    }
