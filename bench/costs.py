"""What attribution, metrics and tracing cost at saturation, side by side with and without.

Two figures each: requests a second, which is what a person loses but takes everything else on the machine in with it;
and processor time a request, which is steadier.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any

from rich.console import Console

from bench import saturation
from bench.chain import chain
from bench.collector import Collector, scraping
from bench.ratio import Series, interleaved, ratios
from bench.stacks import Variant, running
from lab.config import Lab
from lab.errors import LabError

CONNECTIONS = 16
SECONDS = 3
SAMPLED = 0.1
# As many requests as it takes to have every page of the accounts in the database's memory: without it, the stack that
# more of the targets share would be ahead of the others for minutes.
WARM_UP_SECONDS = 20
# The most of its throughput that each may cost.
LIMITS = {"attribution": 0.05, "metrics": 0.05, "tracing": 0.10}
BASES = {"attribution": "no attribution", "metrics": "plain", "tracing": "plain"}


@dataclass(frozen=True, slots=True)
class Saturated:
    """A target with as much to do as it can.

    Attributes:
        per_second: answers per second.
        cpu_ms: processor time of the target's machines for each answer, in milliseconds.
    """

    per_second: float
    cpu_ms: float


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
        metrics, tracing = stacks["metrics"], stacks["tracing"]
        targets = {
            "attribution": partial(_saturate, attributed.url, attributed.cpu_seconds),
            "no attribution": partial(_saturate, bare.url, bare.cpu_seconds),
            "plain": partial(_saturate, plain.url, plain.guests.cpu_seconds),
            "metrics": partial(_saturate, metrics.url, metrics.guests.cpu_seconds),
            "tracing": partial(_saturate, tracing.url, tracing.guests.cpu_seconds, traced=SAMPLED),
        }
        console.print(f"Warming up each stack for {WARM_UP_SECONDS} s")
        for stack in stacks.values():
            saturation.per_second(stack.url, connections=CONNECTIONS, seconds=WARM_UP_SECONDS)
        console.print(f"{rounds} rounds of {len(targets)} targets, {SECONDS} s each")
        found = interleaved(targets, rounds)
        if not collector.spans:
            raise LabError("The collector got no span: the cost of tracing would be that of nothing.")
    return {cost: _result(found[cost], found[base], LIMITS[cost]) for cost, base in BASES.items()}


def _saturate(url: str, cpu_seconds: Callable[[], float], traced: float = 0.0) -> Saturated:
    before = cpu_seconds()
    per_second = saturation.per_second(url, connections=CONNECTIONS, seconds=SECONDS, traced=traced)
    return Saturated(per_second, (cpu_seconds() - before) * 1000 / (per_second * SECONDS))


def _result(variant: list[Saturated], base: list[Saturated], limit: float) -> dict[str, Any]:
    throughput = _sides("requests/s", [one.per_second for one in variant], [one.per_second for one in base])
    cost = 1 - throughput["ratio"]["median"]
    cpu = _sides("ms of processor time a request", [one.cpu_ms for one in variant], [one.cpu_ms for one in base])
    return {"throughput": throughput, "cpu": cpu, "cost": cost, "limit": limit, "within_limit": cost <= limit}


def _sides(unit: str, variant: list[float], base: list[float]) -> dict[str, Any]:
    one, other = Series(tuple(variant)), Series(tuple(base))
    return {
        "unit": unit,
        "with": one.as_json(),
        "without": other.as_json(),
        "ratio": ratios(one, other).as_json(),
    }
