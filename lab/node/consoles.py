"""The console logs of guests: trimmed while they run, and kept for a while after a failure."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from lab.config import Lab
from lab.node import cleanup, record
from lab.node.record import Record

_LIMIT_BYTES = 2 << 20
_KEPT_BYTES = 512 << 10
_KEPT_FAILED = 3


def find(lab: Lab, vm: str, namespace: str | None = None) -> list[Path]:
    """Return the console logs of a VM's guests, the latest first."""
    records = [one for one in record.load_all(lab) if one.name == vm and namespace in (None, one.namespace)]
    records.sort(key=lambda one: one.started, reverse=True)
    return [record.directory(lab, one.uid) / cleanup.CONSOLE for one in records]


def keep(lab: Lab, exists: Callable[[str, str], bool]) -> None:
    """Trim long consoles, and remove all but the last few failed guests of each VM; all of them if the VM is gone.

    Args:
        lab: The lab.
        exists: Returns whether a VM exists, by namespace and name.
    """
    failed: dict[tuple[str, str], list[Record]] = {}
    for one in record.load_all(lab):
        trim(record.directory(lab, one.uid) / cleanup.CONSOLE)
        if one.ended is not None:
            failed.setdefault((one.namespace, one.name), []).append(one)
    for (namespace, name), records in failed.items():
        records.sort(key=lambda one: one.started, reverse=True)
        for one in records[_KEPT_FAILED if exists(namespace, name) else 0 :]:
            cleanup.remove_files(lab, one.uid)


def trim(console: Path, limit: int = _LIMIT_BYTES, kept: int = _KEPT_BYTES) -> None:
    """Trim a log that is longer than `limit` bytes to its last `kept` bytes; its writer keeps appending."""
    try:
        if console.stat().st_size <= limit:
            return
        with console.open("r+b") as log:
            log.seek(-kept, 2)
            end = log.read()
            log.seek(0)
            log.write(end)
            log.truncate()
    except FileNotFoundError:
        return
