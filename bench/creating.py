"""What creating, previewing and deleting many machines costs, beside ConfigMaps and kube-burner on one API server.

Machines are simulated. ConfigMaps are the floor: the least that the same engine can create. To compare with it,
machines are created only; what starting them takes is the servers' time, which is measured apart.
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

from bench import kube_burner
from bench.figures import figure, missing
from bench.fleets import Cost, Fleet, Kind, simulated_lab
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
# What QUICK=1 leaves out: by the servers or the file backend, they take minutes.
QUICK_LIMITS = {Kind.CONFIGMAPS: 300, Kind.CREATED: 1000, Kind.READY: 30}


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
            kinds = [kind for kind in Kind if not quick or size <= QUICK_LIMITS[kind]]
            for _ in range(rounds):
                # In random order, so that whatever else the machine does affects all kinds alike.
                for kind in random.sample(kinds, len(kinds)):
                    # The last measurement of the largest fleet needs no end: the lab's own is next.
                    commands = [one for one in COMMANDS if not (quick and size == LARGEST and one == "destroy")]
                    runs += _run(lab, kind, size, commands, console)
        peer = kube_burner.measure(lab, kube_burner_program, LARGEST, console)
    return {"guests": "simulated", **figures(runs), "kube_burner": peer, "runs": runs}


def _run(lab: Lab, kind: Kind, size: int, commands: Sequence[str], console: Console) -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory() as directory:
        fleet = Fleet(lab, kind, size, Path(directory))
        found = [
            {"kind": str(kind), "size": size, "command": command, **asdict(COMMANDS[command](fleet))}
            for command in commands
        ]
    took = ", ".join(f"{one['command']} {one['seconds']:.1f} s" for one in found)
    console.print(f"{size} {kind}: {took}", highlight=False)
    return found


def figures(runs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the figures by name, each with its spread and the number of its repeats."""

    def seconds(kind: Kind, size: int, command: str) -> list[float]:
        wanted = {"kind": kind, "size": size, "command": command}
        return [one["seconds"] for one in runs if wanted.items() <= one.items()]

    def ratio(kind: Kind) -> dict[str, Any]:
        pairs = zip(seconds(kind, RATIO_SIZE, "up"), seconds(Kind.CONFIGMAPS, RATIO_SIZE, "up"), strict=False)
        return figure([one / floor for one, floor in pairs])

    return {
        f"ratio_to_floor_{RATIO_SIZE}": ratio(Kind.CREATED),
        f"ready_ratio_to_floor_{RATIO_SIZE}": ratio(Kind.READY),
        "exponent": _exponent(runs, Kind.CREATED),
        "ready_exponent": _exponent(runs, Kind.READY),
        f"noop_preview_{LARGEST}_s": figure(seconds(Kind.CREATED, LARGEST, "preview")),
        "peak_memory_mib": figure([one["memory_mib"] for one in runs if one["size"] == LARGEST], summary=max),
        "pool_ratio_to_kube_burner": missing("pools are not measured yet"),
    }


def _exponent(runs: Sequence[Mapping[str, Any]], kind: Kind) -> dict[str, Any]:
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
