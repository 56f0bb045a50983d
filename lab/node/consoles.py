"""The consoles of guests: those of running guests kept short, the last ones of failed guests kept for a while."""

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
    """Return the console logs of a VM's guests, the present or last one first."""
    records = [one for one in record.load_all(lab) if one.name == vm and namespace in (None, one.namespace)]
    records.sort(key=lambda one: one.started, reverse=True)
    return [record.directory(lab, one.uid) / cleanup.CONSOLE for one in records]


def keep(lab: Lab, exists: Callable[[str, str], bool]) -> None:
    """Shorten long consoles; forget failed guests but the last few of each VM, and all of a VM that is gone.

    Args:
        lab: the lab.
        exists: tells by namespace and name whether there is such a VM.
    """
    failed: dict[tuple[str, str], list[Record]] = {}
    for one in record.load_all(lab):
        shorten(record.directory(lab, one.uid) / cleanup.CONSOLE)
        if one.ended is not None:
            failed.setdefault((one.namespace, one.name), []).append(one)
    for (namespace, name), records in failed.items():
        records.sort(key=lambda one: one.started, reverse=True)
        for one in records[_KEPT_FAILED if exists(namespace, name) else 0 :]:
            cleanup.remove_files(lab, one.uid)


def shorten(console: Path, limit: int = _LIMIT_BYTES, kept: int = _KEPT_BYTES) -> None:
    """Cut a log that became longer than `limit` bytes to its last `kept` bytes; its writer appends and goes on."""
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
