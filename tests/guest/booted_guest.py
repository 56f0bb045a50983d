"""A guest's root file system, booted with systemd and cloud-init, and without a network but its loopback."""

from __future__ import annotations

import contextlib
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import psutil

from lab.node import seed
from lab.node.specification import GuestSpecification
from tests.guest.guest_root import GuestRoot

HOSTNAME = "guest-0"
# The mounts end with the namespace, and the machine with the process.
_BOOT = """
mount -t overlay overlay -o lowerdir="$1",upperdir="$2/upper",workdir="$2/work" "$2/root"
exec systemd-nspawn --quiet --boot --register=no --keep-unit --machine="$3" --directory="$2/root" --private-network \
    --console=read-only --setenv=TERM=dumb --resolv-conf=off --timezone=off --link-journal=no
"""
_NAMESPACES = ("--mount", "--pid", "--mount-proc", "--propagation=private", "--fork", "--kill-child=KILL")


class BootedGuest(GuestRoot):
    """Runs programs in a booted guest.

    Args:
        pid: Process of its systemd.
        console: What it has written to its console.
    """

    def __init__(self, pid: int, console: Path) -> None:
        super().__init__(pid)
        self._console = console

    @property
    def console(self) -> str:
        """What it has written to its console."""
        return self._console.read_text(errors="replace")

    def wait(self, what: str, condition: Callable[[], object], seconds: float = 60) -> None:
        """Wait until a condition holds."""
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, f"not within {seconds} s: {what}; its console:\n{self.console[-4000:]}"
            time.sleep(0.1)

    def property_of(self, unit: str, name: str) -> str:
        """Return a property of a unit, or an error if systemd has not started yet."""
        return self.run("systemctl", "show", f"--property={name}", "--value", unit, check=False).strip()


@contextlib.contextmanager
def booted_guest(
    image: Path, place: Path, user_data: str, programs: Mapping[str, str] | None = None
) -> Iterator[BootedGuest]:
    """Boot an image with user data; the context's end kills it.

    Args:
        image: Root file system, which is not written to.
        place: Empty directory.
        user_data: For cloud-init.
        programs: Shell scripts in front of the guest's own programs, by name.
    """
    identity = "11111111-2222-3333-4444-555555555555"
    specification = GuestSpecification(
        namespace="test",
        name=HOSTNAME,
        uid=identity,
        hostname=HOSTNAME,
        instance_id=identity,
        image="",
        memory=0,
        cpus=0,
        user_data=user_data.encode(),
        network_data=None,
        disks=(),
    )
    seed.write(place / "upper", specification)
    for name, script in (programs or {}).items():
        file = place / "upper/usr/local/sbin" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"#!/bin/sh\n{script}\n")
        file.chmod(0o755)
    for name in ("work", "root"):
        (place / name).mkdir()
    console = place / "console"
    command = ["unshare", *_NAMESPACES, "sh", "-euc", _BOOT, "sh", str(image), str(place), HOSTNAME]
    with console.open("wb") as output, subprocess.Popen(command, stdout=output, stderr=output) as holder:
        try:
            yield BootedGuest(_systemd_of(holder, console), console)
        finally:
            holder.kill()


def _systemd_of(holder: subprocess.Popen[bytes], console: Path) -> int:
    """Wait until the guest's systemd runs, and return its process."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and holder.poll() is None:
        with contextlib.suppress(psutil.NoSuchProcess):
            for process in psutil.Process(holder.pid).children(recursive=True):
                if process.name() == "systemd":
                    return process.pid
        time.sleep(0.05)
    holder.kill()
    raise RuntimeError(f"The guest did not boot; run the tests as root. {console.read_text(errors='replace')}")
