"""What creating, previewing and deleting many machines costs, beside ConfigMaps and kube-burner on one API server.

Machines are simulated. ConfigMaps are the floor: the least that the same engine can create. For that comparison,
machines are only created; starting them is the servers' work, which is measured separately.
"""

from __future__ import annotations

import math
import random
import statistics
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.figures import Figure, figure, missing, ratio
from bench.fleets import Cost, Fleet, Kind, simulated_lab
from bench.kube_burner import KubeBurner
from lab.config import Lab

COMMANDS: Mapping[str, Callable[[Fleet], Cost]] = {
    "up": Fleet.up,
    "unchanged up": Fleet.up,
    "preview": Fleet.preview,
    "destroy": Fleet.destroy,
}
SMALLEST_FITTED = 30  # below, the engine's start takes most of the time
RATIO_SIZE = 300
LARGEST = 1000
# Number of objects -> number of measurements of each kind.
SIZES = {3: 3, 30: 3, 300: 3, 1000: 1}
QUICK_SIZES = {3: 1, 30: 1, 300: 1, 1000: 1}
# The largest fleet of each kind: what the servers or the file backend take long for, QUICK=1 leaves out.
LIMITS = {Kind.CONFIGMAPS: 1000, Kind.CREATED: 1000, Kind.FILES: 300, Kind.READY: 1000, Kind.POOLED: 300}
QUICK_LIMITS = {Kind.CONFIGMAPS: 300, Kind.CREATED: 1000, Kind.FILES: 3, Kind.READY: 3, Kind.POOLED: 3}
# Number of machines, and of measurements, of the comparison with kube-burner.
DENSITY = (1000, 3)
QUICK_DENSITY = (100, 1)


def measure(console: Console, *, quick: bool, kube_burner_program: Path | None) -> dict[str, Any]:
    """Measure fleets of all sizes on a lab of their own.

    Args:
        console: Shows the progress.
        quick: Whether to take fewer measurements.
        kube_burner_program: Path of kube-burner; None: it isn't measured.

    Returns:
        The figures, and every measurement.

    Raises:
        LabError: The lab doesn't start, or a command failed.
    """
    runs: list[dict[str, Any]] = []
    with simulated_lab(console) as lab:
        for size, rounds in (QUICK_SIZES if quick else SIZES).items():
            kinds = [kind for kind in Kind if size <= (QUICK_LIMITS if quick else LIMITS)[kind]]
            for _ in range(rounds):
                # In random order, so that whatever else the machine does affects all kinds alike.
                for kind in random.sample(kinds, len(kinds)):
                    # QUICK=1 measures of the largest fleet what has a figure; the end of the lab is its end, too.
                    commands = ("up", "preview") if quick and size == LARGEST else tuple(COMMANDS)
                    runs += _run(lab, kind, size, commands, console)
        pool = _beside_kube_burner(lab, kube_burner_program, *(QUICK_DENSITY if quick else DENSITY), runs, console)
    return {"guests": "simulated", **figures(runs), "pool_ratio_to_kube_burner": pool, "runs": runs}


def _beside_kube_burner(
    lab: Lab, program: Path | None, count: int, rounds: int, runs: list[dict[str, Any]], console: Console
) -> Figure:
    """Return how much longer a pool takes to be ready than as many machines of kube-burner's."""
    if program is None:
        return missing("KUBE_BURNER doesn't name a kube-burner program")
    peer = KubeBurner(lab, program)
    pools, peers = [], []
    for _ in range(rounds):
        pooled = _run(lab, Kind.POOLED, count, ("up", "destroy"), console)
        runs += pooled
        pools.append(pooled[0]["seconds"])
        peers.append(peer.seconds(count))
        console.print(f"{count} by kube-burner: {peers[-1]:.1f} s", highlight=False)
        runs.append({"kind": "kube-burner", "size": count, "command": "up", "seconds": peers[-1]})
    return {**ratio(pools, peers), "machines": count}


def _run(lab: Lab, kind: Kind, size: int, commands: Sequence[str], console: Console) -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory() as directory:
        fleet = Fleet(lab, kind, size, Path(directory))
        found = []
        for command in commands:
            cost = COMMANDS[command](fleet)
            found.append({"kind": str(kind), "size": size, "command": command, **asdict(cost)})
            if command == "up":
                fleet.settle()
    took = ", ".join(f"{one['command']} {one['seconds']:.1f} s" for one in found)
    console.print(f"{size} {kind}: {took}", highlight=False)
    return found


def figures(runs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the figures by name, each with its spread and the number of its repeats."""

    def seconds(kind: Kind, size: int, command: str) -> list[float]:
        wanted = {"kind": kind, "size": size, "command": command}
        return [one["seconds"] for one in runs if wanted.items() <= one.items()]

    def beside_floor(kind: Kind) -> Figure:
        found, floor = (seconds(one, RATIO_SIZE, "up") for one in (kind, Kind.CONFIGMAPS))
        return ratio(found, floor) if found and floor else missing("not measured with QUICK=1")

    return {
        f"ratio_to_floor_{RATIO_SIZE}": beside_floor(Kind.CREATED),
        f"ready_ratio_to_floor_{RATIO_SIZE}": beside_floor(Kind.READY),
        "exponent": _exponent(runs, Kind.CREATED),
        "ready_exponent": _exponent(runs, Kind.READY),
        "file_backend_exponent": _exponent(runs, Kind.FILES),
        f"noop_preview_{LARGEST}_s": figure(seconds(Kind.CREATED, LARGEST, "preview")),
        "peak_memory_mib": figure(
            [one["memory_mib"] for one in runs if one["size"] == LARGEST and "memory_mib" in one], summary=max
        ),
    }


def _exponent(runs: Sequence[Mapping[str, Any]], kind: Kind) -> Figure:
    """Return the exponent of the growth of `up` with the number of objects, by a fit to each round's sizes."""
    by_size: dict[int, list[float]] = {}
    for one in runs:
        if one["kind"] == kind and one["command"] == "up" and one["size"] >= SMALLEST_FITTED:
            by_size.setdefault(one["size"], []).append(one["seconds"])
    if len(by_size) < 2:
        return missing("not measured at several sizes")
    rounds = max(map(len, by_size.values()))
    # A size that was measured less often is in each fit with its last measurement.
    fits = [
        slope({size: found[min(number, len(found) - 1)] for size, found in by_size.items()}) for number in range(rounds)
    ]
    return figure(fits)


def slope(seconds: Mapping[int, float]) -> float:
    """Return the slope of the logarithm of the seconds over that of the size, by least squares."""
    sizes, times = ([math.log(one) for one in values] for values in (seconds.keys(), seconds.values()))
    return statistics.linear_regression(sizes, times).slope


def table(found: Mapping[str, Any]) -> Table:
    """Return the times by command, kind and size, and the peak memory of the engine and the language host."""
    rows = Table("simulated objects", "kind", *(f"{command} s" for command in COMMANDS), "engine MiB", "provider MiB")
    for size in sorted({one["size"] for one in found["runs"]}):
        for kind in Kind:
            runs = [one for one in found["runs"] if (one["size"], one["kind"]) == (size, kind)]
            if runs:
                times = (_times([one["seconds"] for one in runs if one["command"] == command]) for command in COMMANDS)
                memory = (f"{max(one[key] for one in runs):.0f}" for key in ("memory_mib", "provider_mib"))
                rows.add_row(str(size), str(kind), *times, *memory)
    return rows


def _times(seconds: Sequence[float]) -> str:
    if not seconds:
        return ""
    spread = f" [{min(seconds):.1f}-{max(seconds):.1f}]" if len(seconds) > 1 else ""
    return f"{statistics.median(seconds):.1f}{spread}"
