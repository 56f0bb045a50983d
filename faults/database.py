"""Faults of the database and of its data disk."""

from __future__ import annotations

import time
from contextlib import suppress

from cloudinit.families import FACTS, Family
from components.names import TierName
from faults.fault import fault
from faults.ledger import HOT_ACCOUNT
from faults.stack import Stack
from kube.resources import VIRTUAL_MACHINES
from lab import deployment
from lab.errors import LabError
from lab.host.control_groups import group_of

STOPPED_SECONDS = 10.0
LOCKED_SECONDS = 15
FULL_SECONDS = 20.0
SLOW_SECONDS = 15
_DELETED_SECONDS = 90.0
_DISK = FACTS[Family.DEBIAN].database_mount
_FILLER = f"{_DISK}/filler"
_UNIT = "postgresql@*.service"  # Debian's, whose instance is the cluster's version and name

# Nothing can be written to a frozen file system: each write waits up to 0.3 s.
_SLOW = f"""
end=$(($(date +%s) + {SLOW_SECONDS}))
while [ "$(date +%s)" -lt "$end" ]; do
    fsfreeze --freeze {_DISK}
    sleep 0.3
    fsfreeze --unfreeze {_DISK}
    sleep 0.02
done
"""
# systemd thaws the file system, even if this program is killed.
_SLOWING = (
    *("systemd-run", "--quiet", "--wait", "--collect", f"--property=RuntimeMaxSec={SLOW_SECONDS + 5}"),
    *(f"--property=ExecStopPost=-fsfreeze --unfreeze {_DISK}", "sh", "-ec", _SLOW),
)


@fault()
def database_killed(stack: Stack) -> None:
    """All processes of PostgreSQL are killed."""
    stack.run(_machine(stack), "systemctl", "kill", "--signal=KILL", _UNIT)


@fault()
def database_stopped(stack: Stack) -> None:
    """PostgreSQL is stopped for 10 s."""
    unit = stack.run(_machine(stack), "systemctl", "list-units", "--plain", "--no-legend", _UNIT).split()[0]
    stack.run(_machine(stack), "systemctl", "stop", unit)
    try:
        time.sleep(STOPPED_SECONDS)
    finally:
        stack.run(_machine(stack), "systemctl", "start", unit)


@fault()
def database_guest_killed(stack: Stack) -> None:
    """The database's guest ends without shutting down, as after a crash of QEMU or of its node."""
    group_of(stack.lab, stack.uid(_machine(stack))).kill()


@fault()
def database_vmi_deleted(stack: Stack) -> None:
    """The instance of the database machine is deleted."""
    stack.delete_instances(_machine(stack))


@fault()
def database_vm_deleted(stack: Stack) -> None:
    """The database machine itself is deleted, until `pulumi up` creates it again on its disk."""
    machine, cluster = _machine(stack), stack.cluster
    cluster.delete(VIRTUAL_MACHINES, machine, stack.name)
    try:
        deadline = time.monotonic() + _DELETED_SECONDS
        while cluster.find(VIRTUAL_MACHINES, machine, stack.name):
            if time.monotonic() > deadline:
                raise LabError(f"{machine} is still being deleted.")
            time.sleep(0.2)
    finally:
        deployment.up(stack.lab, stack.name, "--config-file", str(stack.file))


@fault()
def database_disk_full(stack: Stack) -> None:
    """The database's data disk has no room for 20 s."""
    machine = _machine(stack)
    fill = f"fallocate --length \"$(df --output=avail --block-size=1 {_DISK} | tail -n 1 | tr -d ' ')\" {_FILLER}"
    try:
        stack.run(machine, "sh", "-ec", fill)
        # The log's segments are allocated in advance: the disk isn't needed until the server starts the next ones.
        for _ in range(4):
            with suppress(LabError):
                stack.sql("SELECT pg_switch_wal()")
        time.sleep(FULL_SECONDS)
    finally:
        stack.run(machine, "rm", "-f", _FILLER)


@fault()
def database_disk_slow(stack: Stack) -> None:
    """Each write to the database's data disk waits up to 0.3 s, for 15 s."""
    stack.run(_machine(stack), *_SLOWING)


@fault()
def database_row_locked(stack: Stack) -> None:
    """Another session locks the account that is changed most often, for 15 s."""
    lock = f"SELECT 1 FROM pgbench_accounts WHERE aid = {HOT_ACCOUNT} FOR UPDATE"  # noqa: S608
    stack.sql(f"BEGIN; {lock}; SELECT pg_sleep({LOCKED_SECONDS}); COMMIT")


FAULTS = (
    database_killed,
    database_stopped,
    database_guest_killed,
    database_vmi_deleted,
    database_vm_deleted,
    database_disk_full,
    database_disk_slow,
    database_row_locked,
)


def _machine(stack: Stack) -> str:
    return stack.machine(TierName.DATABASE)
