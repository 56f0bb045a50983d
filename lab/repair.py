"""Repairing machines whose guest can't become ready by itself."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path

import typer

from kube.client import Api
from kube.resources import VIRTUAL_MACHINE_INSTANCES, VIRTUAL_MACHINES, Object
from lab.command import run
from lab.config import Lab
from lab.errors import LabError
from lab.host.control_groups import group_of
from lab.progress import Progress

_READY_SECONDS = 120.0
_POLL_SECONDS = 0.5


def restart_failed_guests(lab: Lab, cluster: Api, progress: Progress) -> None:
    """Restart the machines that aren't ready because a unit in their guest has failed for good; wait until they are.

    Their data disks stay. A machine that isn't ready again after a while is left to whatever waits for it next.
    """
    restarted = set()
    for instance in cluster.list(VIRTUAL_MACHINE_INSTANCES)[0]:
        metadata = instance["metadata"]
        key = (metadata["name"], metadata["namespace"])
        if not _ready(cluster, *key) and (units := failed_units(lab, metadata["uid"])):
            typer.echo(f"Restarting {metadata['name']}: {', '.join(units)} failed in its guest.")
            cluster.delete(VIRTUAL_MACHINE_INSTANCES, *key, uid=metadata["uid"])
            restarted.add((*key, metadata["uid"]))
    if restarted:
        deadline = time.monotonic() + _READY_SECONDS
        with progress.step("Restarted machines"):
            while not all(_has_settled(lab, cluster, *one) for one in restarted) and time.monotonic() < deadline:
                time.sleep(_POLL_SECONDS)


def failed_units(lab: Lab, uid: str) -> list[str]:
    """Return the systemd units that failed in a guest and that systemd doesn't start again; none if it has ended."""
    try:
        listing = run_in_guest(lab, uid, "systemctl", "list-units", "--state=failed", "--plain", "--no-legend")
    except LabError:  # its systemd doesn't answer: it has just started, or ends
        return []
    return [line.split()[0] for line in listing.splitlines() if line.strip()]


def run_in_guest(lab: Lab, uid: str, *command: str) -> str:
    """Run a program in a guest and return its standard output.

    Raises:
        LabError: The guest doesn't run, or the program failed.
    """
    leader = next((pid for pid in sorted(group_of(lab, uid).pids()) if _is_leader(pid)), None)
    if leader is None:
        raise LabError(f"The guest {uid} doesn't run.")
    return run("nsenter", f"--target={leader}", "--all", *command)


def _is_leader(pid: int) -> bool:
    """Whether a process is the first one of a guest, which has number 1 in the guest's namespace."""
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("NSpid:"):
                numbers = line.split()[1:]
                return len(numbers) > 1 and numbers[-1] == "1"
    return False


def _ready(cluster: Api, name: str, namespace: str) -> bool:
    machine: Object = cluster.find(VIRTUAL_MACHINES, name, namespace) or {}
    return bool(machine.get("status", {}).get("ready"))


def _has_settled(lab: Lab, cluster: Api, name: str, namespace: str, former: str) -> bool:
    """Whether a machine has another instance, which is ready or has failed like the former one."""
    instance = cluster.find(VIRTUAL_MACHINE_INSTANCES, name, namespace)
    if instance is None or instance["metadata"]["uid"] == former:
        return False
    return _ready(cluster, name, namespace) or bool(failed_units(lab, instance["metadata"]["uid"]))
