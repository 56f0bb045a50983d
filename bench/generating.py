"""Delivery at several rates: how many scheduled requests are sent, how evenly, and whether the latencies add up."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bench import runs
from bench.figures import Figure, figure
from bench.stacks import Variant, running
from lab.config import Lab

RATES = (50, 300, 1000)
SECONDS = 30
CONCURRENCY = 50
MIN_DELIVERED_SHARE = 0.999
MAX_BURSTINESS = 1.2  # index of dispersion of the arrivals per 10 ms; 1 for a Poisson process
MAX_DEVIATION = 0.02  # of the sum of the parts from the total, around the median


def measure(lab: Lab, results: Path, console: Console) -> dict[str, Any]:
    """Run each rate once and return its figures.

    Raises:
        LabError: A run failed.
    """
    found = []
    with running(lab, [Variant("load", {"load": {"rps": 1}})]) as (stack,):
        for rate in RATES:
            place = results / f"rate-{rate}"
            run = runs.start(lab, stack, place, rps=rate, seconds=SECONDS, concurrency=CONCURRENCY)
            one = _result(rate, runs.summary(run, place, SECONDS))
            console.print(f"{rate} requests/s: {one['delivered_share']:.4%} delivered, p99 {one['p99']:.2f} ms")
            found.append(one)
    return {f"delivered_at_{one['rps']}": _delivered(one) for one in found} | {"rates": found}


def _delivered(rate: dict[str, Any]) -> Figure:
    return figure([rate["delivered_share"]])


def table(found: dict[str, Any]) -> Table:
    """Return the figures of each rate."""
    rows = Table("requests/s", "delivery ratio", "burstiness", "p50 ms", "p99 ms", "parts/p50", "within limits")
    for one in found["rates"]:
        rows.add_row(
            str(one["rps"]),
            f"{one['delivered_share']:.4%}",
            f"{one['burstiness']:.2f}",
            f"{one['p50']:.2f}",
            f"{one['p99']:.2f}",
            f"{one['parts_over_p50']:.3f}",
            "yes" if one["within_limits"] else "no",
        )
    return rows


def _result(rate: int, summary: dict[str, Any]) -> dict[str, Any]:
    delivery, consistency = summary["delivery"], summary["consistency"]
    found = {
        "rps": rate,
        "seconds": SECONDS,
        **{key: delivery[key] for key in ("delivered_share", "shortfall", "errors", "burstiness")},
        **{key: summary["latency"]["total"][key] for key in ("p50", "p99")},
        "parts_over_p50": summary["parts_over_p50"],
        "consistent_share": consistency["consistent"] / consistency["checked"],
    }
    within_limits = (
        found["delivered_share"] >= MIN_DELIVERED_SHARE
        and found["burstiness"] <= MAX_BURSTINESS
        and found["consistent_share"] == 1
        and abs(found["parts_over_p50"] - 1) <= MAX_DEVIATION
    )
    return {**found, "within_limits": within_limits}
