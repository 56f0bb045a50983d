"""One guest: a systemd-nspawn machine on a writable layer of its own over a shared image."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from lab.cluster.process import start_time
from lab.command import run
from lab.config import Lab
from lab.errors import LabError
from lab.host.control_groups import group_of
from lab.node import cleanup, disks, network, record, seed
from lab.node.network import GuestNetwork
from lab.node.record import Record
from lab.node.specification import GuestSpecification

# /proc/sys/net is the guest's own, and a virtual machine may set what is below it.
_ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "SYSTEMD_NSPAWN_API_VFS_WRITABLE": "network"}

# With this code systemd-nspawn asks whoever started it to start it again: its EXIT_FORCE_RESTART.
_REBOOT = 133


@dataclass(frozen=True, slots=True)
class Exit:
    """How a guest ended: `code` is systemd-nspawn's, or None where another agent was its parent."""

    code: int | None

    @property
    def shut_down(self) -> bool:
        """Whether the guest shut itself down."""
        return self.code == 0

    @property
    def rebooting(self) -> bool:
        """Whether the guest wants to be started again, as a virtual machine that reboots."""
        return self.code == _REBOOT


class Guest:
    """A started guest. Its process lives on when the agent ends."""

    def __init__(self, lab: Lab, known: Record, descriptor: int, process: subprocess.Popen[bytes] | None) -> None:
        """Use `start` or `adopt`.

        Args:
            lab: the lab.
            known: its record.
            descriptor: a pidfd of its process, readable once that has ended.
            process: the process where it is this agent's child.
        """
        self.lab = lab
        self.record = known
        self._descriptor = descriptor
        self._process = process

    def fileno(self) -> int:
        """Return what becomes readable when the guest ends, for `select`."""
        return self._descriptor

    @property
    def console(self) -> Path:
        """What the guest wrote to its console."""
        return record.directory(self.lab, self.record.uid) / cleanup.CONSOLE

    def exit(self) -> Exit | None:
        """Return how the guest ended, or None while it runs."""
        if not select.select([self], [], [], 0)[0]:
            return None
        return Exit(self._process.wait() if self._process else None)

    def stop(self, grace: float) -> None:
        """Ask the guest to shut down, and kill it when it hasn't within `grace` seconds."""
        if grace > 0:
            with suppress(ProcessLookupError):
                # systemd-nspawn passes this on to the guest's systemd as the wish to shut down.
                signal.pidfd_send_signal(self._descriptor, signal.SIGTERM)
            select.select([self], [], [], grace)
        group_of(self.lab, self.record.uid).kill()

    def release(self) -> None:
        """Give back what an ended guest holds, but for its files."""
        if self._process:
            self._process.wait()
        cleanup.release(self.lab, self.record.uid)

    def close(self) -> None:
        """Forget the guest; it runs on if it does."""
        os.close(self._descriptor)


def start(lab: Lab, specification: GuestSpecification, rootfs: Path, reserved: Record) -> tuple[Guest, list[str]]:
    """Start a guest.

    Args:
        lab: the lab.
        specification: what it is.
        rootfs: the root file system of its image, which is only read.
        reserved: its saved record, with its address.

    Returns:
        The guest, and the names of limits that this machine can't enforce.

    Raises:
        LabError: something in its making failed; nothing of it is left then but its directory.
    """
    uid = specification.uid
    cleanup.release(lab, uid)
    cleanup.remove_files(lab, uid, keep_console=True)
    known = replace(reserved, files=tuple(disk.file for disk in specification.disks))
    try:
        group = group_of(lab, uid)
        refused = group.create(memory=specification.memory, cpus=specification.cpus)
        links = network.network_of(lab, uid)
        network.up(links, known.address, lab.address)
        root = _mount(record.directory(lab, uid), specification, rootfs)
        devices = _attach(specification, before=lambda: record.save(lab, known))
        command = _command(specification, cleanup.machine_name(lab, uid), root, links, devices)
        return _launch(lab, replace(known, command=tuple(command))), refused
    except (OSError, LabError):
        cleanup.release(lab, uid)
        raise


def reboot(ended: Guest) -> Guest:
    """Start a guest again that ended to reboot, with the same root, disks, network and limits."""
    group_of(ended.lab, ended.record.uid).kill()
    ended.close()
    return _launch(ended.lab, ended.record)


def _launch(lab: Lab, known: Record) -> Guest:
    with (record.directory(lab, known.uid) / cleanup.CONSOLE).open("ab") as console:
        process = subprocess.Popen(
            group_of(lab, known.uid).enter(known.command),
            stdin=subprocess.DEVNULL,
            stdout=console,
            stderr=subprocess.STDOUT,
            env=_ENVIRONMENT,
            start_new_session=True,
        )
    started, boot = start_time(process.pid), record.this_boot()
    launched = replace(known, started=time.time(), pid=process.pid, start_time=started, boot=boot)
    record.save(lab, launched)
    return Guest(lab, launched, os.pidfd_open(process.pid), process)


def adopt(lab: Lab, known: Record) -> Guest | None:
    """Return the guest that another agent started, or None where its process is gone."""
    if known.pid is None or known.ended is not None or known.boot != record.this_boot():
        return None
    try:
        descriptor = os.pidfd_open(known.pid)
    except ProcessLookupError:
        return None
    # Asked after the descriptor is held: from here on the pid can't come to mean another process.
    if start_time(known.pid) != known.start_time:
        os.close(descriptor)
        return None
    return Guest(lab, known, descriptor, None)


def _mount(place: Path, specification: GuestSpecification, rootfs: Path) -> Path:
    upper, work, root = place / "upper", place / "work", place / "root"
    seed.write(upper, specification)
    work.mkdir()
    root.mkdir()
    # The root is as short-lived as a containerDisk's: nothing of it has to survive a crash of this machine, so its
    # writes needn't wait for the disk ("volatile"). The data disks' do.
    options = f"lowerdir={rootfs},upperdir={upper},workdir={work},volatile"
    failure = f"The root of {specification.name} can't be mounted"
    run("mount", "-t", "overlay", "-o", options, "overlay", root, failure=failure)
    return root


def _attach(specification: GuestSpecification, before: Callable[[], None]) -> list[tuple[str, str]]:
    """Attach the disks; return pairs of a device here and a name below the guest's /dev."""
    for disk in specification.disks:
        if disk.scratch_bytes is not None:
            disks.create(disk.file, disk.scratch_bytes)
    devices = disks.attach([disk.file for disk in specification.disks], before=before)
    return [(device, name) for disk, device in zip(specification.disks, devices, strict=True) for name in disk.names]


def _command(
    specification: GuestSpecification, machine: str, root: Path, links: GuestNetwork, devices: list[tuple[str, str]]
) -> list[str]:
    return [
        "systemd-nspawn",
        "--quiet",
        "--boot",
        # This machine's own systemd, if it has one, is told nothing: the control group is made and kept by the agent.
        "--register=no",
        "--keep-unit",
        f"--machine={machine}",
        f"--hostname={specification.hostname}",
        f"--uuid={specification.instance_id}",
        f"--directory={root}",
        f"--network-namespace-path={links.path}",
        *(f"--bind={device}:/dev/{name}" for device, name in devices),
        # A console that is written to the log and that nobody can type into.
        "--console=read-only",
        "--setenv=TERM=dumb",
        # These would mirror this machine's settings and journal into the guest, or the guest's into this machine.
        "--resolv-conf=off",
        "--timezone=off",
        "--link-journal=no",
    ]
