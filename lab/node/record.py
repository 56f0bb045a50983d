"""A file about each guest, by which an agent recognizes the guests that an earlier one started."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path

from pydantic import TypeAdapter

from lab.config import Lab
from lab.files import write_private

_FILE = "guest.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One guest.

    Attributes:
        namespace: Namespace of its VMI.
        name: Name of its VMI.
        uid: Uid of its VMI.
        address: Network address, reserved while the record exists.
        files: Raw files of its disks, attached while it runs.
        command: Command that starts its machine, at first and after a reboot.
        started: When its process started, in Unix time; 0 before.
        pid: Process id of systemd-nspawn; None before the start.
        start_time: Start time of the process, in clock ticks since boot.
        boot: Boot id of the machine that `pid` and `start_time` belong to.
        ended: When it failed, in Unix time; from then on only the record and the console are kept.
    """

    namespace: str
    name: str
    uid: str
    address: IPv4Address
    files: tuple[Path, ...] = ()
    command: tuple[str, ...] = ()
    started: float = 0
    pid: int | None = None
    start_time: int | None = None
    boot: str = ""
    ended: float | None = None


_ADAPTER = TypeAdapter(Record)


def this_boot() -> str:
    """Return the machine's boot id."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def directory(lab: Lab, uid: str) -> Path:
    """Return the directory that holds everything of one guest."""
    return lab.guests / uid


def save(lab: Lab, record: Record) -> None:
    """Write a record."""
    place = directory(lab, record.uid)
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_private(place / _FILE, _ADAPTER.dump_json(record))


def load(lab: Lab, uid: str) -> Record | None:
    """Return a guest's record, or None if it is missing or unreadable."""
    try:
        return _ADAPTER.validate_json((directory(lab, uid) / _FILE).read_bytes())
    except (OSError, ValueError):
        return None


def uids(lab: Lab) -> list[str]:
    """Return the uids of all guests with a directory in the lab."""
    try:
        return sorted(entry.name for entry in os.scandir(lab.guests) if entry.is_dir())
    except FileNotFoundError:
        return []


def load_all(lab: Lab) -> Iterator[Record]:
    """Yield every readable record."""
    for uid in uids(lab):
        if record := load(lab, uid):
            yield record
