"""The control plane that previews use: a lab without guests on loopback, which keeps running between previews."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import IPv4Network
from pathlib import Path

import lab
from lab import lifecycle, root
from lab.cluster import supervisor
from lab.config import PROJECT, Lab
from lab.errors import LabError
from lab.files import write_private
from lab.progress import Progress
from lab.toolchain import binaries, cache

PREFERRED_SUBNET = IPv4Network("127.64.0.0/16")


def preview_lab() -> Lab:
    """Return the control plane of this checkout, or the one in the directory that MULTI_TIER_PREVIEW names.

    Raises:
        LabError: The directory is a lab's, with guests, or somebody else's.
    """
    path = Path(os.environ.get("MULTI_TIER_PREVIEW") or PROJECT / ".lab-preview").resolve()
    found = Lab.at(path, PREFERRED_SUBNET)
    root.check(found)
    if found.isolated:
        raise LabError(f"{path} is a lab with guests. Set MULTI_TIER_PREVIEW to another directory.")
    return found


@contextmanager
def running(progress: Progress) -> Iterator[Lab]:
    """Yield the control plane, started unless this version of it runs. Other previews wait until the body ends.

    Raises:
        LabError: Something can't be installed, or a component ended or did not become ready.
    """
    with _locked():
        found = preview_lab()
        record, version = found.root / "version", _version().encode()
        processes = supervisor.processes(found)
        runs = bool(processes) and all(process.pid for process in processes.values())
        if not (runs and record.exists() and record.read_bytes() == version):
            # Another version, or what is left after an interrupted start or a reboot.
            lifecycle.stop(found, progress)
            found = lifecycle.start(preview_lab(), progress)
            write_private(record, version)
        yield found


def stop(progress: Progress) -> None:
    """Stop the control plane and delete its data.

    Raises:
        LabError: A component does not end.
    """
    with _locked():
        lifecycle.stop(preview_lab(), progress)


@contextmanager
def _locked() -> Iterator[None]:
    found = preview_lab()
    found.root.parent.mkdir(parents=True, exist_ok=True)
    with found.root.with_name(f"{found.root.name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _version() -> str:
    """Return a hash of the programs and of the lab's sources."""
    sources = sorted(Path(lab.__file__).parent.rglob("*.py"))
    return cache.key([*(module.key() for module in binaries.MODULES), *(path.read_bytes() for path in sources)])
