"""Pulumi's file backend in the lab: what its files say, and what a killed engine left in them and behind it."""

from __future__ import annotations

import json
import os
import shlex
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from kube.resources import Object
from lab import environment
from lab.config import Lab
from lab.errors import LabError
from state.store import Store

# They hold data, or all objects of a namespace. The next update adopts them.
_ALWAYS_ADOPTED = frozenset({"Namespace", "DataVolume"})


def _state_files(lab: Lab) -> dict[str, Path]:
    return {path.stem: path for path in sorted(lab.backend.glob(".pulumi/stacks/*/*.json"))}


def stacks(lab: Lab) -> list[str]:
    """Return the names of the lab's stacks."""
    return list(_state_files(lab))


def state(lab: Lab, stack: str) -> dict[str, Any]:
    """Return a stack's resources and pending operations; nothing if the stack doesn't exist or is empty.

    Raises:
        LabError: The state can't be read.
    """
    path = _state_files(lab).get(stack)
    if path is None:
        return {}
    try:
        return json.loads(path.read_text())["checkpoint"]["latest"] or {}
    except (OSError, ValueError, KeyError, TypeError) as error:
        former = path.with_name(f"{path.name}.bak")
        raise LabError(
            f"The state of stack {stack} can't be read ({path}: {error}). Pulumi keeps the one before it: run "
            f"{shlex.join(['cp', str(former), str(path)])}, then `make lab`, which finds out what has changed since. "
            "If that one can't be read either, run `make lab-down`, which deletes the stack with its data."
        ) from None


def outputs(lab: Lab, stack: str) -> dict[str, Any]:
    """Return a stack's outputs, none of which is a secret.

    Raises:
        LabError: The stack isn't deployed, or its state can't be read.
    """
    for resource in state(lab, stack).get("resources") or ():
        if resource["type"] == "pulumi:pulumi:Stack":
            found: dict[str, Any] = resource.get("outputs", {})
            return found
    raise LabError(f"Stack {stack} isn't deployed in {lab.root}. Deploy it with `make lab`.")


def orphans(lab: Lab, stack: str) -> list[Object]:
    """Return the objects that a killed update may have created without a record of it, by kind and name.

    Namespaces and data disks are not among them. Neither is what a later update of any stack has adopted.
    """
    owned = {_identity(resource) for name in stacks(lab) for resource in state(lab, name).get("resources") or ()}
    return [
        pending["resource"]["inputs"]
        for pending in pending_operations(lab, stack)
        if pending["type"] == "creating"
        and (identity := _identity(pending["resource"]))
        and identity[0] not in _ALWAYS_ADOPTED
        and identity not in owned
    ]


def pending_operations(lab: Lab, stack: str) -> list[dict[str, Any]]:
    """Return what an update had begun when it was killed."""
    return state(lab, stack).get("pending_operations") or []


def _identity(resource: dict[str, Any]) -> tuple[str, str, str] | None:
    """Return the kind, namespace and name of a resource, if it is a Kubernetes object."""
    if not str(resource.get("type")).startswith("kubernetes:"):
        return None
    inputs = resource["inputs"]
    metadata = inputs["metadata"]
    return inputs["kind"], metadata.get("namespace", ""), metadata["name"]


def remove_stale_locks(lab: Lab) -> None:
    """End the updates of engines that were killed. A lock that can't be read is an engine's, if one runs."""
    running = engines(lab)
    if lab.simulated and not running:
        store = Store(lab.backend)
        for stack in store.names():
            store.end(stack)
    for path in lab.backend.glob(".pulumi/locks/**/*.json"):
        try:
            stale = json.loads(path.read_text())["pid"] not in running
        except (OSError, ValueError, KeyError, TypeError):
            stale = not running
        if stale:
            path.unlink(missing_ok=True)


def remove_torn_files(lab: Lab) -> None:
    """Remove what a killed engine or a full disk has left of files that Pulumi was writing, and makes again.

    These are temporary files, the attributes of the backend's files, and the names of selected stacks.
    """
    for path in lab.backend.rglob("*.tmp"):
        path.unlink()
    for path in (*lab.backend.rglob("*.attrs"), *lab.plugins.with_name("workspaces").glob("*.json")):
        try:
            json.loads(path.read_text())
        except ValueError:
            path.unlink()


def engines(lab: Lab) -> set[int]:
    """Return the processes of the Pulumi CLI that use the lab's backend."""
    setting = f"PULUMI_BACKEND_URL={environment.variables(lab)['PULUMI_BACKEND_URL']}".encode()
    found = set()
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has just ended, or is another user's
            if _name(process) == "pulumi" and setting in (process / "environ").read_bytes().split(b"\0"):
                found.add(int(process.name))
    return found


def kill_orphaned_providers(lab: Lab) -> None:
    """Kill the providers that outlived their engine, and would go on creating objects."""
    for process in _providers(lab):
        with suppress(OSError):
            parent = (process / "stat").read_text().rpartition(")")[2].split()[1]
            if _name(process.with_name(parent)) != "pulumi":
                os.kill(int(process.name), signal.SIGKILL)


def kill_providers(lab: Lab) -> None:
    """Kill all providers of the lab, also those of engines that the user has started."""
    for process in _providers(lab):
        with suppress(ProcessLookupError):
            os.kill(int(process.name), signal.SIGKILL)


def _providers(lab: Lab) -> Iterator[Path]:
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            program = (process / "cmdline").read_bytes().partition(b"\0")[0].decode(errors="replace")
            if program.startswith(f"{lab.plugins}/"):
                yield process


def _name(process: Path) -> str:
    return (process / "comm").read_text().strip()
