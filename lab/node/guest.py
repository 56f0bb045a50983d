"""One guest: a systemd-nspawn machine with its own writable layer over a shared image."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from lab.command import run
from lab.config import Lab
from lab.errors import LabError
from lab.host.control_groups import group_of
from lab.node import cleanup, disks, network, record, seed
from lab.node.network import GuestNetwork
from lab.node.record import Record
from lab.node.specification import GuestSpecification

# Exit code of systemd-nspawn when the guest reboots: its parent is to start it again (EXIT_FORCE_RESTART).
REBOOT = 133
# Guests go on serving while all of the lab's components start at once, each of which has a weight of 1.
_WEIGHT = 4

# /proc/sys/net is the guest's own, and a virtual machine may change its settings.
_ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "SYSTEMD_NSPAWN_API_VFS_WRITABLE": "network"}


class Guest:
    """A started guest. Its process outlives the agent."""

    def __init__(self, lab: Lab, known: Record, descriptor: int, process: subprocess.Popen[bytes] | None) -> None:
        """Create it with `start` or `adopt` instead.

        Args:
            lab: The lab.
            known: Its record.
            descriptor: A pidfd of its process, readable once the process has ended.
            process: The process, if it is a child of this agent.
        """
        self.lab = lab
        self.record = known
        self._descriptor = descriptor
        self._process = process

    def fileno(self) -> int:
        """Return a descriptor for `select` that becomes readable when the guest ends."""
        return self._descriptor

    def console_tail(self, characters: int) -> str:
        """Return the end of what the guest has written to its console."""
        try:
            console = record.directory(self.lab, self.record.uid) / cleanup.CONSOLE
            return console.read_text(errors="replace")[-characters:].strip()
        except OSError:
            return "(nothing)"

    def has_ended(self) -> bool:
        """Whether the guest no longer runs."""
        return bool(select.select([self], [], [], 0)[0])

    def exit_code(self) -> int | None:
        """Return systemd-nspawn's exit code, or None if the guest runs or another agent was its parent."""
        return self._process.wait() if self._process and self.has_ended() else None

    def stop(self, grace: float) -> None:
        """Ask the guest to shut down, and kill it if it hasn't after `grace` seconds."""
        if grace > 0:
            with suppress(ProcessLookupError):
                # systemd-nspawn forwards this to the guest's systemd as a shutdown request.
                signal.pidfd_send_signal(self._descriptor, signal.SIGTERM)
            select.select([self], [], [], grace)
        group_of(self.lab, self.record.uid).kill()

    def release(self) -> None:
        """Release everything that an ended guest holds except its files."""
        if self._process:
            self._process.wait()
        cleanup.release(self.lab, self.record.uid)
        os.close(self._descriptor)

    def reboot(self) -> Guest:
        """Start an ended guest again with the same root, disks, network and limits, and return it."""
        group_of(self.lab, self.record.uid).kill()
        os.close(self._descriptor)
        return _launch(self.lab, self.record)


def start(lab: Lab, specification: GuestSpecification, rootfs: Path, reserved: Record) -> tuple[Guest, list[str]]:
    """Start a guest.

    Args:
        lab: The lab.
        specification: What to start.
        rootfs: Root file system of its image; read only.
        reserved: Its saved record, with its address.

    Returns:
        The guest, and the names of limits that this machine can't enforce.

    Raises:
        LabError: A step failed; nothing but the guest's directory is left behind.
    """
    uid = specification.uid
    cleanup.release(lab, uid)
    cleanup.remove_files(lab, uid, keep_console=True)
    known = replace(reserved, files=tuple(disk.file for disk in specification.disks))
    try:
        group = group_of(lab, uid)
        refused = group.create(memory=specification.memory, cpus=specification.cpus, weight=_WEIGHT)
        links = network.network_of(lab, uid)
        network.up(links, known.address, lab.address)
        root = _mount(record.directory(lab, uid), specification, rootfs)
        devices = _attach(specification, before=lambda: record.save(lab, known))
        command = _command(specification, cleanup.machine_name(lab, uid), root, links, devices)
        return _launch(lab, replace(known, command=tuple(command))), refused
    except (OSError, LabError):
        cleanup.release(lab, uid)
        raise


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
    started, boot = _start_time(process.pid), record.this_boot()
    launched = replace(known, started=time.time(), pid=process.pid, start_time=started, boot=boot)
    record.save(lab, launched)
    return Guest(lab, launched, os.pidfd_open(process.pid), process)


def adopt(lab: Lab, known: Record) -> Guest | None:
    """Return a guest that another agent started, or None if its process is gone."""
    if known.pid is None or known.ended is not None or known.boot != record.this_boot():
        return None
    try:
        descriptor = os.pidfd_open(known.pid)
    except ProcessLookupError:
        return None
    # Checked while the descriptor is open: the pid can't be reused from here on.
    if _start_time(known.pid) != known.start_time:
        os.close(descriptor)
        return None
    return Guest(lab, known, descriptor, None)


def _start_time(pid: int) -> int | None:
    """Return when a process started, in clock ticks since boot; None if no process (or a zombie) has that pid.

    Pid and start time together identify a process: a reused pid has another start time.
    """
    try:
        # The second field, the program's name, may contain spaces and parentheses.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    state, started = fields[0], fields[19]  # proc(5): fields 3 and 22
    return None if state in "ZX" else int(started)


def _mount(place: Path, specification: GuestSpecification, rootfs: Path) -> Path:
    upper, work, root = place / "upper", place / "work", place / "root"
    seed.write(upper, specification)
    work.mkdir()
    root.mkdir()
    # The root is as ephemeral as a containerDisk: it needn't survive a crash of this machine, so its writes don't wait
    # for the disk ("volatile"). Writes to data disks do.
    # A colon or a comma in a path would end it, so the options have none: they name what is in the working directory.
    lower = place / "lower"
    lower.unlink(missing_ok=True)
    lower.symlink_to(rootfs)
    options = f"lowerdir={lower.name},upperdir={upper.name},workdir={work.name},volatile"
    failure = f"The root of {specification.name} can't be mounted"
    run("mount", "-t", "overlay", "-o", options, "overlay", root, failure=failure, cwd=place)
    return root


def _attach(specification: GuestSpecification, before: Callable[[], None]) -> list[tuple[str, str]]:
    """Attach the disks; return pairs of a loop device and a name below the guest's /dev."""
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
        # The agent manages the control group itself, without this machine's systemd.
        "--register=no",
        "--keep-unit",
        f"--machine={machine}",
        f"--hostname={specification.hostname}",
        f"--uuid={specification.instance_id}",
        f"--directory={root}",
        f"--network-namespace-path={links.path}",
        "--capability=CAP_NET_ADMIN",  # a machine may do with its network what it wants
        *(f"--bind={device}:/dev/{name}" for device, name in devices),
        # The console goes to the log and takes no input.
        "--console=read-only",
        "--setenv=TERM=dumb",
        # Don't share settings and journals between this machine and the guest.
        "--resolv-conf=off",
        "--timezone=off",
        "--link-journal=no",
    ]
