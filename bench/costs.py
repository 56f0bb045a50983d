"""What attribution, metrics, tracing and encryption cost at saturation, compared side by side with and without.

Each cost has two figures: throughput, which is what a user loses but also depends on whatever else the machine does;
and processor time per request, which is steadier.
"""

from __future__ import annotations

import random
import statistics
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import httpx
from rich.console import Console
from rich.table import Table

from bench import saturation
from bench.collector import Collector, scraping
from bench.stacks import Running, Variant, running
from lab.config import Lab
from lab.errors import LabError

ROUNDS = 15
CONNECTIONS = 16
SECONDS = 3
SAMPLING = 0.1
# Long enough to load all accounts into the database's cache: until then, each request makes the next ones faster.
WARM_UP_SECONDS = 20
# Each cost: the stack with it, the stack without it, and the maximum share of the throughput that it may take.
COSTS = {
    "attribution": ("plain", "unattributed", 0.05),
    "metrics": ("metrics", "plain", 0.05),
    "tracing": ("tracing", "plain", 0.10),
    "tls": ("plain", "unencrypted", 0.10),
}
_ATTRIBUTION_OFF = """
mkdir -p /run/systemd/system/virtwork-app.service.d
printf '[Service]\\nEnvironment=ATTRIBUTION=off\\n' > /run/systemd/system/virtwork-app.service.d/attribution.conf
systemctl daemon-reload
systemctl restart virtwork-app.service
"""
_ACCESS_LOG_OFF = """
sed -i 's/access_log .*;/access_log off;/' /etc/nginx/nginx.conf
systemctl reload nginx.service
timeout 15 sh -c 'until curl --fail --silent --output /dev/null http://localhost/api/v1/accounts/1; do sleep 0.1; done'
"""


@dataclass(frozen=True, slots=True)
class Saturated:
    """One measurement of a saturated stack.

    Attributes:
        per_second: Requests per second.
        cpu_ms: Processor time of the stack's guests per request, in milliseconds.
    """

    per_second: float
    cpu_ms: float


def measure(lab: Lab, console: Console) -> dict[str, Any]:
    """Measure each cost in interleaved rounds, on stacks with equal guests.

    Returns:
        For each cost the series with and without, their ratios, and the limit.

    Raises:
        LabError: A stack could not be deployed, or a response was wrong.
    """
    quiet = {"load": {"enabled": False}}
    with ExitStack() as contexts:
        collector = contexts.enter_context(Collector.listening(lab))
        variants = [
            Variant("plain", quiet),
            Variant("unattributed", quiet),
            Variant("unencrypted", {**quiet, "database": {"tls": {"enabled": False}}}),
            Variant("metrics", {**quiet, "metrics": {"enabled": True}}),
            Variant("tracing", {**quiet, "tracing": {"endpoint": collector.url, "sampling": SAMPLING}}),
        ]
        stacks = {stack.variant.name: stack for stack in contexts.enter_context(running(lab, variants))}
        _turn_off_attribution(stacks["unattributed"])
        contexts.enter_context(scraping(stacks["metrics"].guests))
        console.print(f"Warming up each stack for {WARM_UP_SECONDS} s")
        for stack in stacks.values():
            saturation.per_second(stack.url, connections=CONNECTIONS, seconds=WARM_UP_SECONDS)
        console.print(f"{ROUNDS} rounds of {len(stacks)} stacks, {SECONDS} s each")
        measured: dict[str, list[Saturated]] = {name: [] for name in stacks}
        for _ in range(ROUNDS):
            # In random order, so that whatever else the machine does affects all stacks alike.
            for name in random.sample(list(stacks), len(stacks)):
                measured[name].append(_saturate(stacks[name], SAMPLING if name == "tracing" else 0.0))
        if not collector.spans:
            raise LabError("The collector received no spans, so that the cost of tracing was not measured.")
    return {cost: _result(measured[variant], measured[base], limit) for cost, (variant, base, limit) in COSTS.items()}


def _turn_off_attribution(stack: Running) -> None:
    """Turn off the application's clocks and its Server-Timing header, and the access log of nginx that records them.

    Raises:
        LabError: The stack does not respond, or still attributes.
    """
    stack.guests.run(stack.guest("application"), _ATTRIBUTION_OFF)
    stack.guests.run(stack.guest("web"), _ACCESS_LOG_OFF)
    response = httpx.get(f"{stack.url}/api/v1/accounts/1", timeout=10, trust_env=False)
    if "server-timing" in response.headers:
        raise LabError(f"The application of {stack.variant.stack} ignores ATTRIBUTION=off: it sends Server-Timing.")


def _saturate(stack: Running, traced: float) -> Saturated:
    before = sum(stack.guests.cpu_seconds().values())
    per_second = saturation.per_second(stack.url, connections=CONNECTIONS, seconds=SECONDS, traced=traced)
    used = sum(stack.guests.cpu_seconds().values()) - before
    return Saturated(per_second, used * 1000 / (per_second * SECONDS))


def _result(variant: list[Saturated], base: list[Saturated], limit: float) -> dict[str, Any]:
    throughput = _sides("requests/s", [one.per_second for one in variant], [one.per_second for one in base])
    cost = 1 - throughput["ratio"]["median"]
    cpu = _sides("ms of processor time per request", [one.cpu_ms for one in variant], [one.cpu_ms for one in base])
    return {"throughput": throughput, "cpu": cpu, "cost": cost, "limit": limit, "within_limit": cost <= limit}


def _sides(unit: str, variant: list[float], base: list[float]) -> dict[str, Any]:
    # Round by round: a slow moment of the machine affects both.
    ratios = [one / other for one, other in zip(variant, base, strict=True)]
    return {"unit": unit, "with": _series(variant), "without": _series(base), "ratio": _series(ratios)}


def _series(values: Sequence[float]) -> dict[str, Any]:
    return {"values": values, "median": statistics.median(values), "least": min(values), "most": max(values)}


def table(found: dict[str, Any]) -> Table:
    """Return each cost in throughput and in processor time, with the spread of the rounds."""
    rows = Table("cost of", "throughput", "rounds", "limit", "processor time/request", "rounds")
    for name in COSTS:
        one = found[name]
        row = [f"{-one['cost']:+.1%}", _spread(one["throughput"]["ratio"]), f"-{one['limit']:.0%}"]
        rows.add_row(name, *row, f"{one['cpu']['ratio']['median'] - 1:+.1%}", _spread(one["cpu"]["ratio"]))
    return rows


def _spread(ratio: dict[str, Any]) -> str:
    return f"x{ratio['least']:.2f} to x{ratio['most']:.2f}"
