"""kube-burner, which creates many machines for density tests, on the same API server as the fleets."""

from __future__ import annotations

import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console

from bench.fleets import NAME, Fleet, Kind
from kube import client
from kube.client import Api
from kube.resources import VIRTUAL_MACHINES, Object
from lab.command import run
from lab.config import Lab
from lab.errors import LabError

_PREFIX = "burner"
_SECONDS = 1800.0
_POLL_SECONDS = 0.5
_VARIABLE = "KUBE_BURNER"


def measure(lab: Lab, program: Path | None, count: int, console: Console) -> dict[str, Any]:
    """Let kube-burner create machines like those of a fleet, and wait until all are ready.

    Returns:
        The number of machines and the seconds, or why they were not measured.

    Raises:
        LabError: It failed, or not all machines became ready.
    """
    if program is None:
        return {"seconds": None, "reason": f"{_VARIABLE} doesn't name a kube-burner program"}
    found = shutil.which(program)
    if found is None:
        raise LabError(f"{_VARIABLE}={program} is no program. Build kube-burner and set {_VARIABLE} to its path.")
    cluster = client.connect(lab.kubeconfig)
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        _write_job(directory, _template(lab, cluster, directory), count)
        begun = time.monotonic()
        run(
            found,
            "init",
            "--config=job.yaml",
            env={"KUBECONFIG": str(lab.kubeconfig), "HOME": name, "PATH": ""},
            cwd=directory,
            timeout=_SECONDS,
            failure="kube-burner failed",
        )
        seconds = time.monotonic() - begun
    machines = [one for one in cluster.list(VIRTUAL_MACHINES, NAME)[0] if one["metadata"]["name"].startswith(_PREFIX)]
    ready = sum(bool(one.get("status", {}).get("ready")) for one in machines)
    if ready != count:
        raise LabError(f"kube-burner ended with {ready} of {count} machines ready.")
    console.print(f"{count} machines by kube-burner: ready in {seconds:.1f} s", highlight=False)
    _delete(cluster, machines)
    return {"count": count, "seconds": seconds}


def _template(lab: Lab, cluster: Api, directory: Path) -> Object:
    """Return the manifest of a machine as the engine declares it."""
    fleet = Fleet(lab, Kind.READY, 1, directory)
    fleet.up()
    machine = cluster.get(VIRTUAL_MACHINES, f"{NAME}-0", NAME)
    fleet.destroy()
    name = f"{_PREFIX}-{{{{.Iteration}}}}"
    kind = {key: machine[key] for key in ("apiVersion", "kind")}
    return {**kind, "metadata": {"name": name, "labels": machine["metadata"]["labels"]}, "spec": machine["spec"]}


def _write_job(directory: Path, template: Object, count: int) -> None:
    (directory / "machine.yaml").write_text(yaml.safe_dump(template))
    job = {
        "name": _PREFIX,
        "jobIterations": count,
        "namespace": NAME,
        "namespacedIterations": False,
        "cleanup": False,
        "preLoadImages": False,
        "qps": 1000,
        "burst": 1000,
        "waitWhenFinished": True,
        "objects": [{"objectTemplate": "machine.yaml", "replicas": 1}],
    }
    (directory / "job.yaml").write_text(yaml.safe_dump({"jobs": [job]}))


def _delete(cluster: Api, machines: list[Object]) -> None:
    for machine in machines:
        cluster.delete(VIRTUAL_MACHINES, machine["metadata"]["name"], NAME)
    deadline = time.monotonic() + _SECONDS
    while cluster.list(VIRTUAL_MACHINES, NAME)[0]:
        if time.monotonic() > deadline:
            raise LabError("The machines that kube-burner created are still being deleted.")
        time.sleep(_POLL_SECONDS)
