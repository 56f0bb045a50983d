"""Ten minutes of load: whether the guests' memory and disk usage stays constant."""

from __future__ import annotations

import os
import statistics
import time
from pathlib import Path
from typing import Any

import psutil
from rich.console import Console

from bench import runs
from bench.stacks import Running
from cloudinit.families import FACTS, Family
from lab.config import Lab

RPS = 500
SECONDS = 600
CONCURRENCY = 50
INTERVAL_SECONDS = 10.0
MEBIBYTE = 1024**2
# Growth of a guest from halfway to the end. The disk usage varies: nginx's logs rotate each minute in which they exceed
# 8 MB, and the load agent keeps up to 32 MB of samples.
MAX_GROWTH_MIB = {"memory": 32, "disk": 32}


def measure(lab: Lab, stack: Running, results: Path, console: Console) -> dict[str, Any]:
    """Run `SECONDS` of load and return the memory and disk usage of each guest over time, in MiB.

    Memory is the proportional set size of the guest's processes. Disk is what the guest has written to its root and to
    its data disk.

    Raises:
        LabError: The run failed.
    """
    place = results / "endurance"
    run = runs.start(lab, stack, place, rps=RPS, seconds=SECONDS, concurrency=CONCURRENCY)
    started = time.monotonic()
    samples: list[dict[str, dict[str, float]]] = []
    with console.status("endurance"):
        while run.poll() is None and time.monotonic() - started < SECONDS:
            samples.append({name: _usage(stack, name) for name in stack.guests.names()})
            time.sleep(INTERVAL_SECONDS)
    summary = runs.summary(run, place, SECONDS)
    guests = {
        name: {kind: [sample[name][kind] for sample in samples] for kind in ("memory", "disk")}
        for name in stack.guests.names()
    }
    growth = {name: {kind: _growth(values) for kind, values in kinds.items()} for name, kinds in guests.items()}
    for name, kinds in growth.items():
        console.print(f"{name}: memory {kinds['memory']:+.1f} MiB, disk {kinds['disk']:+.1f} MiB in the second half")
    return {
        "rps": RPS,
        "seconds": SECONDS,
        "every_seconds": INTERVAL_SECONDS,
        "delivered_share": summary["delivery"]["delivered_share"],
        "errors": summary["delivery"]["errors"],
        "p99": summary["latency"]["total"]["p99"],
        "guests": guests,
        "growth": growth,
        "limits": MAX_GROWTH_MIB,
        "within_limits": all(
            kinds[kind] <= limit for kinds in growth.values() for kind, limit in MAX_GROWTH_MIB.items()
        ),
    }


def _growth(values: list[float]) -> float:
    """Return the growth in the second half: the median of the last fifth minus that of the middle fifth."""
    fifth = max(1, len(values) // 5)
    middle = values[2 * fifth : 3 * fifth] or values
    return statistics.median(values[-fifth:]) - statistics.median(middle)


def _usage(stack: Running, name: str) -> dict[str, float]:
    return {
        "memory": sum(_memory(pid) for pid in stack.guests.processes(name)) / MEBIBYTE,
        "disk": (_written(stack.guests.written(name)) + _data_disk(stack.guests.leader(name))) / MEBIBYTE,
    }


def _memory(pid: int) -> int:
    try:
        return int(psutil.Process(pid).memory_full_info().pss)
    except psutil.Error:
        return 0


def _written(directory: Path) -> int:
    """Return the bytes that the files below a directory occupy, without those that are deleted meanwhile."""
    total = 0
    for place, _, files in os.walk(directory):
        for file in files:
            try:
                total += Path(place, file).lstat().st_blocks * 512
            except FileNotFoundError:
                continue
    return total


def _data_disk(leader: int) -> int:
    """Return the bytes in use on a database guest's data disk; 0 for other guests."""
    mount = Path(f"/proc/{leader}/root") / FACTS[Family.DEBIAN].database_mount.lstrip("/")
    if not mount.is_mount():
        return 0
    found = os.statvfs(mount)
    return (found.f_blocks - found.f_bfree) * found.f_frsize
