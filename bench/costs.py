"""What attribution, metrics and tracing cost: requests a second at saturation, side by side with and without."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from typing import Any

from rich.console import Console

from bench import saturation
from bench.chain import chain
from bench.collector import Collector, scraping
from bench.ratio import Series, interleaved, ratios
from bench.stacks import Variant, running
from lab.config import Lab, LabError

CONNECTIONS = 16
SECONDS = 5
SAMPLED = 0.1
# The most that each may cost, as a share of the throughput without it.
LIMITS = {"attribution": 0.05, "metrics": 0.05, "tracing": 0.10}


def measure(lab: Lab, rounds: int, console: Console) -> dict[str, Any]:
    """Measure each cost in `rounds` interleaved rounds, on stacks of its own.

    Returns:
        By cost: the series of requests a second with and without, of their ratio, and the most that it may cost.

    Raises:
        LabError: a stack did not come up, or answered wrongly.
    """
    quiet = {"load": {"enabled": False}}
    with ExitStack() as open_until_the_end:
        collector = open_until_the_end.enter_context(Collector.listening(lab))
        stacks = {
            stack.variant.name: stack
            for stack in open_until_the_end.enter_context(
                running(
                    lab,
                    [
                        Variant("plain", quiet),
                        Variant("metrics", {**quiet, "metrics": {"enabled": True}}),
                        Variant("tracing", {**quiet, "tracing": {"endpoint": collector.url, "sampling": SAMPLED}}),
                    ],
                )
            )
        }
        plain = stacks["plain"]
        attributed = open_until_the_end.enter_context(chain(plain, 8180, attribution=True))
        bare = open_until_the_end.enter_context(chain(plain, 8280, attribution=False))
        open_until_the_end.enter_context(scraping(stacks["metrics"].guests))
        targets = {
            "attribution": partial(_saturated, attributed),
            "no attribution": partial(_saturated, bare),
            "plain": partial(_saturated, plain.url),
            "metrics": partial(_saturated, stacks["metrics"].url),
            "tracing": partial(_saturated, stacks["tracing"].url, traced=SAMPLED),
        }
        found = interleaved(targets, rounds, _reporter(console))
        if not collector.spans:
            raise LabError("The collector got no span: the cost of tracing would be that of nothing.")
    bases = {"attribution": "no attribution", "metrics": "plain", "tracing": "plain"}
    return {cost: _result(found[cost], found[base], LIMITS[cost]) for cost, base in bases.items()}


def _saturated(url: str, traced: float = 0.0) -> float:
    return saturation.per_second(url, connections=CONNECTIONS, seconds=SECONDS, traced=traced)


def _reporter(console: Console) -> Callable[[str, int, float], None]:
    def report(name: str, number: int, value: float) -> None:
        console.print(f"round {number + 1}: {name} {value:,.0f} requests/s")

    return report


def _result(variant: Series, base: Series, limit: float) -> dict[str, Any]:
    ratio = ratios(variant, base)
    return {
        "unit": "requests/s",
        "with": variant.as_json(),
        "without": base.as_json(),
        "ratio": ratio.as_json(),
        "cost": 1 - ratio.median,
        "limit": limit,
        "within_limit": 1 - ratio.median <= limit,
    }
