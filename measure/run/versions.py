"""What was measured and with what: versions and machines, as far as they can be read."""

from __future__ import annotations

import math
import platform
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any

from measure.failures import MeasureError
from measure.run.cluster import Cluster
from measure.summary import Machine

_PROJECT = Path(__file__).resolve().parents[2]
_LIBRARIES = ("kubernetes", "numpy")


def versions(cluster: Cluster, agent: dict[str, str]) -> dict[str, str]:
    """Return versions by name; what can't be read is left out.

    Args:
        cluster: the stack.
        agent: the versions that the load agent has told.
    """
    found = {
        "multi-tier": _commit(),
        "python": platform.python_version(),
        **{f"python {name}": metadata.version(name) for name in _LIBRARIES},
        **agent,
        "Kubernetes": _text(_read(cluster, "/version"), "gitVersion"),
    }
    kubevirts = _items(_read(cluster, "/apis/kubevirt.io/v1/kubevirts"))
    if kubevirts:
        found["KubeVirt"] = _text(kubevirts[0].get("status"), "observedKubeVirtVersion")
    return {name: version for name, version in found.items() if version}


def machines(cluster: Cluster) -> list[Machine]:
    """Return the stack's virtual machines, none if they may not be read."""
    path = f"/apis/kubevirt.io/v1/namespaces/{cluster.namespace}/virtualmachines"
    found = [_machine(one) for one in _items(_read(cluster, path)) if _label(one, "instance") == cluster.name]
    return sorted(found, key=lambda machine: machine.name)


def _machine(manifest: dict[str, Any]) -> Machine:
    specification = manifest.get("spec", {}).get("template", {}).get("spec", {})
    domain = specification.get("domain", {})
    images = [one["containerDisk"].get("image") for one in specification.get("volumes", ()) if "containerDisk" in one]
    return Machine(
        name=manifest["metadata"]["name"],
        tier=_label(manifest, "component"),
        vcpus=_vcpus(domain.get("cpu", {})),
        memory=domain.get("memory", {}).get("guest"),
        image=next(iter(images), None),
    )


def _vcpus(cpu: dict[str, int]) -> int | None:
    """Return how many CPUs a guest sees; None where an instancetype says it."""
    return math.prod(cpu.get(key, 1) for key in ("sockets", "cores", "threads")) if cpu else None


def _label(manifest: dict[str, Any], name: str) -> str:
    return str(manifest["metadata"].get("labels", {}).get(f"app.kubernetes.io/{name}", ""))


def _read(cluster: Cluster, path: str) -> Any:
    try:
        return cluster.read(path)
    except MeasureError:
        return {}


def _items(answer: Any) -> list[dict[str, Any]]:
    return list(answer.get("items") or ()) if isinstance(answer, dict) else []


def _text(answer: Any, key: str) -> str:
    return str(answer.get(key, "")) if isinstance(answer, dict) else ""


def _commit() -> str:
    """Return the commit of this program, with a mark if files were changed since; empty if it is no checkout."""
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
