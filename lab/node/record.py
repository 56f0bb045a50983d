"""What is written down about each guest, so that the next agent knows a guest that a former one started."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path

from lab.config import Lab

_FILE = "guest.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One guest.

    Attributes:
        namespace, name, uid: of its VMI.
        address: its network address, reserved as long as the record stands.
        files: the raw files of its disks, which are attached while it runs.
        command: what starts its machine, again after a reboot.
        started: when its process was started, by `time.time()`; 0 before.
        pid: of systemd-nspawn, or None before it was started.
        start_time: the process's, in clock ticks since boot.
        boot: the machine's boot in which these numbers mean something.
        ended: when it failed, by `time.time()`; its last console output is then all that is kept of it.
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


def this_boot() -> str:
    """Return the id of the machine's present boot."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def directory(lab: Lab, uid: str) -> Path:
    """Return where everything of one guest is kept."""
    return lab.guests / uid


def save(lab: Lab, record: Record) -> None:
    """Write a record, whole or not at all."""
    place = directory(lab, record.uid)
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    fields = dataclasses.asdict(record) | {"address": str(record.address), "files": [str(f) for f in record.files]}
    new = place / f"{_FILE}.new"
    new.touch(mode=0o600)
    new.write_text(json.dumps(fields))
    new.replace(place / _FILE)


def load(lab: Lab, uid: str) -> Record | None:
    """Return a guest's record, or None where there is none or it can't be read."""
    try:
        fields = json.loads((directory(lab, uid) / _FILE).read_text())
        fields["address"] = IPv4Address(fields["address"])
        fields["files"] = tuple(Path(file) for file in fields["files"])
        fields["command"] = tuple(fields["command"])
        return Record(**fields)
    except (OSError, ValueError, TypeError, KeyError):
        return None


def uids(lab: Lab) -> list[str]:
    """Return the uids of all guests that left something in the lab's directory."""
    try:
        return sorted(entry.name for entry in os.scandir(lab.guests) if entry.is_dir())
    except FileNotFoundError:
        return []


def load_all(lab: Lab) -> Iterator[Record]:
    """Yield every record that can be read."""
    for uid in uids(lab):
        if record := load(lab, uid):
            yield record
