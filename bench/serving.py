"""What the three tiers serve, beside the plain recipe and the same API in Go: in the same guests, by turns.

Each side is saturated, which gives its throughput and the processor time of a request, and gets equal rates of
requests, which gives its latency. Two limits show what is left: the database alone, and nginx alone.
"""

from __future__ import annotations

import random
import re
import statistics
from typing import Any

from rich.console import Console
from rich.table import Table

from bench import alternatives, open_loop, saturation
from bench.figures import Figure, figure, ratio, text
from bench.stacks import Running, Variant, running
from cloudinit.constants import DATABASE_NAME, DATABASE_USER
from lab.config import Lab
from lab.errors import LabError
from lab.progress import Progress

OURS, RECIPE, GO = "tiers", "recipe", "go"
SIDES = (OURS, RECIPE, GO)
TIERS = ("web", "application", "database")
CONNECTIONS = 16
RATES = (50, 100)  # the recipe serves no more
# Until all accounts are in the database's cache, each request makes the next ones faster.
WARM_UP_SECONDS, QUICK_WARM_UP_SECONDS = 20, 8
REPEATS, QUICK_REPEATS = 5, 2
SECONDS, QUICK_SECONDS = 5, 3  # of saturation
RATE_SECONDS, QUICK_RATE_SECONDS = 15, 8
_PGBENCH = """
set -a
. /etc/virtwork/application.env
PGPASSWORD=$(cat "$DATABASE_PASSWORD") PGSSLMODE=require
pgbench --select-only --no-vacuum --protocol prepared --client {clients} --time {seconds} \
  --host "$DATABASE_HOST" --port "$DATABASE_PORT" --username {user} {database}
"""


def measure(lab: Lab, console: Console, *, quick: bool) -> dict[str, Any]:
    """Measure all sides in interleaved repeats.

    Raises:
        LabError: A side could not be deployed, or a response was wrong.
    """
    repeats, seconds, rate_seconds, warm_up = (
        (QUICK_REPEATS, QUICK_SECONDS, QUICK_RATE_SECONDS, QUICK_WARM_UP_SECONDS)
        if quick
        else (REPEATS, SECONDS, RATE_SECONDS, WARM_UP_SECONDS)
    )
    runs: list[dict[str, Any]] = []
    limits: dict[str, list[float]] = {"pgbench": [], "nginx": []}
    with (
        running(lab, [Variant("serving", {"load": {"enabled": False}})]) as (stack,),
        alternatives.deployed(stack, Progress(console)) as others,
    ):
        urls = {OURS: f"http://{stack.guests.address(stack.guest('web'))}", **others}
        console.print(f"Warming up for {warm_up} s")
        saturation.per_second(urls[OURS], connections=CONNECTIONS, seconds=warm_up)
        for repeat in range(repeats):
            # In random order, so that whatever else the machine does affects all sides alike.
            for side in random.sample(SIDES, len(SIDES)):
                one: dict[str, Any] = {"side": side, **_saturate(stack, urls[side], seconds)}
                for rate in RATES[:1] if quick else RATES:
                    found = open_loop.latency(lab, urls[side], rate=rate, seconds=rate_seconds)
                    one |= {f"{name}_ms_at_{rate}": value for name, value in found.items()}
                runs.append(one)
                said = f"{one['per_second']:.0f}/s, {one['cpu_ms']:.3f} ms of processor time each"
                console.print(f"{repeat + 1}/{repeats} {side}: {said}", highlight=False)
            limits["pgbench"].append(_pgbench(stack, seconds))
            nginx = saturation.per_second(urls["nginx"], connections=CONNECTIONS, seconds=seconds, path="/status")
            limits["nginx"].append(nginx)
    return {**figures(runs), **{f"{name}_per_second": figure(one) for name, one in limits.items()}, "runs": runs}


def _saturate(stack: Running, url: str, seconds: int) -> dict[str, float]:
    before = stack.guests.cpu_seconds()
    per_second = saturation.per_second(url, connections=CONNECTIONS, seconds=seconds)
    after = stack.guests.cpu_seconds()
    names = {tier: stack.guest(tier) for tier in TIERS}
    used = {tier: (after[name] - before[name]) * 1000 / (per_second * seconds) for tier, name in names.items()}
    each = {f"cpu_ms_{tier}": milliseconds for tier, milliseconds in used.items()}
    return {"per_second": per_second, "cpu_ms": sum(used.values()), **each}


def _pgbench(stack: Running, seconds: int) -> float:
    """Return how many SELECTs per second the database answers to the application's guest.

    Raises:
        LabError: pgbench failed.
    """
    script = _PGBENCH.format(clients=CONNECTIONS, seconds=seconds, user=DATABASE_USER, database=DATABASE_NAME)
    said = stack.guests.run(stack.guest("application"), script)
    found = re.search(r"^tps = ([0-9.]+)", said, re.M)
    if not found:
        raise LabError(f"pgbench printed no result: {said.strip()[-500:]}")
    return float(found[1])


def figures(runs: list[dict[str, Any]]) -> dict[str, Figure]:
    """Return the figures by name; ratios are to the recipe's in the same repeat, except where they say otherwise."""

    def values(side: str, key: str) -> list[float]:
        return [one[key] for one in runs if one["side"] == side and key in one]

    throughput = values(OURS, "per_second")
    found = {
        "throughput_ratio": ratio(throughput, values(RECIPE, "per_second")),
        "throughput_ratio_to_go": ratio(throughput, values(GO, "per_second")),
        "cpu_ms_per_request": figure(values(OURS, "cpu_ms")),
        **{f"cpu_ms_per_request_{tier}": figure(values(OURS, f"cpu_ms_{tier}")) for tier in TIERS},
    }
    for key in (f"{name}_ms_at_{rate}" for rate in RATES for name in ("p50", "p99")):
        found[key.replace("_ms_", "_ratio_")] = ratio(values(OURS, key), values(RECIPE, key))
    return found


def table(found: dict[str, Any]) -> Table:
    """Return what each side serves, and the limits."""
    rate = RATES[0]
    rows = Table(
        "served by", "requests/s", f"p50 ms at {rate}/s", f"p99 ms at {rate}/s", *(f"{one} CPU ms" for one in TIERS)
    )
    for side in SIDES:
        runs = [one for one in found["runs"] if one["side"] == side]
        keys = ("per_second", f"p50_ms_at_{rate}", f"p99_ms_at_{rate}")
        cpu = (f"{statistics.median(one[f'cpu_ms_{tier}'] for one in runs):.3f}" for tier in TIERS)
        rows.add_row(side, *(text(figure([one[key] for one in runs])) for key in keys), *cpu)
    for name in ("pgbench", "nginx"):
        rows.add_row(f"{name} alone", text(found[f"{name}_per_second"]))
    return rows
