"""What is measured and with what: versions, virtual machines and the data disk, as far as they can be read."""

from __future__ import annotations

import math
import platform
import subprocess
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from kube.resources import SIMULATED, VIRTUAL_MACHINE_INSTANCES
from measure.failures import MeasureError, NotServingError
from measure.run.stack import StackClient
from measure.summary import MachineSummary, Storage

_PROJECT = Path(__file__).resolve().parents[2]
_LIBRARIES = ("kubernetes", "numpy")


def versions(stack: StackClient, agent: dict[str, str]) -> dict[str, str]:
    """Return versions by program, without those that can't be read.

    Args:
        stack: Client of the stack.
        agent: Versions reported by the load agent.
    """
    kubevirts = _items(stack, "/apis/kubevirt.io/v1/kubevirts")
    found = {
        "multi-tier": _commit(),
        "python": platform.python_version(),
        **{f"python {name}": metadata.version(name) for name in _LIBRARIES},
        **agent,
        "Kubernetes": str(_read(stack, "/version").get("gitVersion", "")),
        "KubeVirt": str(kubevirts[0].get("status", {}).get("observedKubeVirtVersion", "")) if kubevirts else "",
    }
    return {name: version for name, version in found.items() if version}


def machines(stack: StackClient) -> list[MachineSummary]:
    """Return the stack's virtual machines by name; empty if they can't be read."""
    found = _items(stack, f"/apis/kubevirt.io/v1/namespaces/{stack.namespace}/virtualmachines")
    return sorted(
        (_machine(one) for one in found if _label(one, "instance") == stack.name), key=lambda machine: machine.name
    )


def check_booted(stack: StackClient) -> None:
    """Refuse a stack of simulated machines, as far as its instances can be read.

    Raises:
        NotServingError: Its machines are simulated.
    """
    found = _items(stack, VIRTUAL_MACHINE_INSTANCES.path(stack.namespace))
    if any(SIMULATED in (one["metadata"].get("annotations") or {}) for one in found):
        raise NotServingError(
            f"The machines in namespace {stack.namespace} are simulated: nothing has booted, so no traffic can flow. "
            "Use a lab whose guests boot: `make lab-down`, then `make lab GUESTS=containers`."
        )


def storage(stack: StackClient) -> Storage | None:
    """Return the performance of the data disk, None if it was not measured or can't be read."""
    path = f"/api/v1/namespaces/{stack.namespace}/services/{stack.name}-web:http/proxy/api/v1/storage"
    try:
        return Storage.model_validate(stack.read(path))
    except (MeasureError, ValidationError):
        return None


def _machine(manifest: dict[str, Any]) -> MachineSummary:
    spec = manifest.get("spec", {}).get("template", {}).get("spec", {})
    domain = spec.get("domain", {})
    images = [one["containerDisk"].get("image") for one in spec.get("volumes", ()) if "containerDisk" in one]
    return MachineSummary(
        name=manifest["metadata"]["name"],
        tier=_label(manifest, "component"),
        vcpus=_vcpus(domain.get("cpu", {})),
        memory=domain.get("memory", {}).get("guest"),
        image=next(iter(images), None),
    )


def _vcpus(cpu: dict[str, int]) -> int | None:
    """Return the number of vCPUs, None if an instancetype sets it."""
    return math.prod(cpu.get(key, 1) for key in ("sockets", "cores", "threads")) if cpu else None


def _label(manifest: dict[str, Any], name: str) -> str:
    return str(manifest["metadata"].get("labels", {}).get(f"app.kubernetes.io/{name}", ""))


def _items(stack: StackClient, path: str) -> list[dict[str, Any]]:
    return list(_read(stack, path).get("items") or ())


def _read(stack: StackClient, path: str) -> dict[str, Any]:
    try:
        found = stack.read(path)
    except MeasureError:
        return {}
    return found if isinstance(found, dict) else {}


@cache
def _commit() -> str:
    """Return this program's commit, marked if files have changed since; empty outside a checkout."""
    try:
        found = subprocess.run(
            ["git", "-C", str(_PROJECT), "describe", "--always", "--dirty", "--abbrev=12"],
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return found.stdout.strip()
