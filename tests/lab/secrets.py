"""Where a secret is found on a lab: in files of this machine and of guests, in processes and in journals."""

from __future__ import annotations

import base64
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

from lab.config import Lab
from lab.node import record

# A guest writes to its own layer, and to what is mounted in it.
LAYER = "upper"
MOUNTED = ("dev/shm", "run", "srv", "tmp")


@dataclass(frozen=True, slots=True)
class GuestFiles:
    """What a running guest has written.

    Attributes:
        name: Its host name.
        layer: Its own layer above its image, on this machine.
        root: Its root directory, as it sees it.
    """

    name: str
    layer: Path
    root: Path

    @property
    def places(self) -> list[Path]:
        return [self.layer, *(self.root / name for name in MOUNTED)]

    def journal(self) -> str:
        """Return all fields of its journal."""
        directories = [self.root / name for name in ("var/log/journal", "run/log/journal")]
        options = [f"--directory={directory}" for directory in directories if directory.exists()]
        assert options, f"{self.name} has no journal"
        command = ["journalctl", options[0], "--output=export", "--no-pager"]
        return subprocess.run(command, capture_output=True, text=True, errors="replace", check=True).stdout

    def within(self, path: Path) -> Path:
        """Return a file's path in the guest."""
        start = self.root if path.is_relative_to(self.root) else self.layer
        return Path("/") / path.relative_to(start)


def guests(lab: Lab) -> Iterator[GuestFiles]:
    for known in record.load_all(lab):
        assert known.pid
        (systemd,) = psutil.Process(known.pid).children()
        yield GuestFiles(known.name, record.directory(lab, known.uid) / LAYER, Path(f"/proc/{systemd.pid}/root"))


def host_places(lab: Lab) -> list[Path]:
    """Return everything in the lab's directory but the layers of guests, whose files are the guests'."""
    of_guests = [path for guest in lab.guests.iterdir() for path in guest.iterdir() if not path.is_dir()]
    return [*(path for path in lab.root.iterdir() if path != lab.guests), *of_guests]


def holding(secrets: Iterable[str], places: Iterable[Path]) -> list[Path]:
    """Return the files in some places that contain one of the secrets, as it is or in base64."""
    existing = [str(place) for place in places if place.exists()]
    forms = [f"--regexp={form}" for one in secrets for form in (one, base64.b64encode(one.encode()).decode())]
    # Pipes and sockets would be waited for.
    options = ["--recursive", "--files-with-matches", "--text", "--fixed-strings", "--no-messages", "--devices=skip"]
    done = subprocess.run(["grep", *options, *forms, "--", *existing], capture_output=True, text=True, check=False)
    return [Path(line) for line in done.stdout.splitlines()]


def processes(secrets: Iterable[str]) -> list[str]:
    """Return the processes of this machine, guests' included, with one of the secrets in arguments or environment."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        for name in ("cmdline", "environ"):
            try:
                text = (process / name).read_bytes()
            except OSError:  # it has ended
                continue
            if any(one.encode() in text for one in secrets):
                found.append(f"{process.name}: {text[:100]!r}")
    return found


def is_open(path: Path, root: Path) -> bool:
    """Return whether other accounts than a file's owner and group can reach and read it from a directory."""
    directories = [one for one in path.parents if one == root or one.is_relative_to(root)]
    return bool(path.stat().st_mode & 0o004) and all(one.stat().st_mode & 0o001 for one in directories)
