"""What became of each fault on this machine: files in memory, so that they survive the agent but not a reboot.

The agent creates a record, the fault's own process fills it in, and systemd's last command for the unit completes it.
"""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from .fault_plan import Fault, Kind, Occurrence

KEPT = 50  # records; the oldest are forgotten
METRICS = "metrics/faults.prom"


@dataclass(frozen=True)
class Record:
    """One occurrence of a fault on this machine.

    Attributes:
        id: The occurrence's name.
        fault: The fault.
        due: Unix time at which it was to begin.
        until: Unix time at which it has to end.
        began: Unix time at which it was in force; None before.
        ended: Unix time at which it was no longer in force; None before.
        means: How it was put in force, where there are several ways.
        problem: Why it was not in force, or not until its end; empty if nothing went wrong.
    """

    id: str
    fault: Fault
    due: float
    until: float
    began: float | None = None
    ended: float | None = None
    means: str = ""
    problem: str = ""

    @property
    def active(self) -> bool:
        """Whether it is in force."""
        return self.began is not None and self.ended is None

    @property
    def report(self) -> dict[str, Any]:
        """It as the cluster learns it."""
        names = ("id", "began", "ended", "means", "problem")
        fault = {"title": self.fault.title, "tier": self.fault.tier, "kind": self.fault.kind.value}
        return {**{name: getattr(self, name) for name in names}, **fault}


class Records:
    """The records, one file each.

    Args:
        directory: Their directory, which exists.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def create(self, occurrence: Occurrence) -> Record | None:
        """Create a record; None if there is one already, because no occurrence happens twice."""
        path = self._path(occurrence.id)
        if path.exists():
            return None
        record = Record(occurrence.id, occurrence.fault, due=occurrence.begin, until=occurrence.end)
        self._write(record)
        for old in self.all()[:-KEPT]:
            if old.ended is not None:
                self._path(old.id).unlink(missing_ok=True)
        return record

    def read(self, name: str) -> Record:
        """Return a record; raises FileNotFoundError if there is none."""
        document = json.loads(self._path(name).read_text(encoding="utf-8"))
        fault = document.pop("fault")
        return Record(fault=Fault(**{**fault, "kind": Kind(fault["kind"])}), **document)

    def all(self) -> list[Record]:
        """Return all records in the order of their times."""
        return sorted((self.read(path.stem) for path in self._directory.glob("*.json")), key=lambda one: one.due)

    def began(self, name: str, means: str) -> None:
        """Note that a fault is in force."""
        self._write(replace(self.read(name), began=time.time(), means=means))

    def ended(self, name: str, problem: str = "") -> None:
        """Note that a fault is no longer in force; the first note stays."""
        record = self.read(name)
        if record.ended is None:
            self._write(replace(record, ended=time.time(), problem=problem))

    def _write(self, record: Record) -> None:
        _replace(self._path(record.id), json.dumps(asdict(record)))
        _replace(self._directory / METRICS, exposition(self.all()))

    def _path(self, name: str) -> Path:
        return self._directory / f"{name}.json"


def exposition(records: list[Record]) -> str:
    """Return the metrics about the faults, for the node exporter's textfile collector."""
    active: dict[tuple[str, str], int] = {}
    for one in records:
        key = one.fault.title, one.fault.kind.value
        active[key] = max(active.get(key, 0), int(one.active))
    lines = [
        "# HELP multi_tier_fault_active Whether the fault is in force on this machine.",
        "# TYPE multi_tier_fault_active gauge",
    ]
    for (title, kind), value in sorted(active.items()):
        quoted = title.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        lines.append(f'multi_tier_fault_active{{fault="{quoted}",kind="{kind}"}} {value}')
    return "\n".join(lines) + "\n"


def _replace(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    path.parent.mkdir(exist_ok=True)
    new = path.with_suffix(".new")
    new.write_text(text, encoding="utf-8")
    new.chmod(0o644)
    new.replace(path)
