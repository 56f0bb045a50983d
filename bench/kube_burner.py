"""kube-burner, which creates many machines for density tests, on the same API server as the fleets."""

from __future__ import annotations

import shutil
import tempfile
import time
from pathlib import Path

import yaml

from bench.fleets import NAME, Fleet, Kind
from kube import client
from kube.resources import VIRTUAL_MACHINES, Object
from lab.command import run
from lab.config import Lab
from lab.errors import LabError

_PREFIX = "burner"
_SECONDS = 1800.0
_POLL_SECONDS = 0.5


class KubeBurner:
    """A kube-burner program, and a machine for it to create many times: the one that the engine creates."""

    def __init__(self, lab: Lab, program: Path) -> None:
        """Find the program, and let the engine create the machine once.

        Raises:
            LabError: It is not a program, or the engine failed.
        """
        found = shutil.which(program)
        if found is None:
            raise LabError(f"KUBE_BURNER={program} is not a program. Build kube-burner and set it to its path.")
        self._lab, self._program = lab, found
        self._cluster = client.connect(lab.kubeconfig)
        with tempfile.TemporaryDirectory() as directory:
            fleet = Fleet(lab, Kind.READY, 1, Path(directory))
            fleet.up()
            machine = self._cluster.get(VIRTUAL_MACHINES, f"{NAME}-0", NAME)
            fleet.destroy()
        kind = {key: machine[key] for key in ("apiVersion", "kind")}
        metadata = {"name": f"{_PREFIX}-{{{{.Iteration}}}}", "labels": machine["metadata"]["labels"]}
        self._template = {**kind, "metadata": metadata, "spec": machine["spec"]}

    def seconds(self, count: int) -> float:
        """Return the seconds that it takes to create this many machines and find all ready; delete them afterwards.

        Raises:
            LabError: It failed, or not all are ready.
        """
        with tempfile.TemporaryDirectory() as directory:
            _write_job(Path(directory), self._template, count)
            begun = time.monotonic()
            run(
                self._program,
                "init",
                "--config=job.yaml",
                env={"KUBECONFIG": str(self._lab.kubeconfig), "HOME": directory, "PATH": ""},
                cwd=Path(directory),
                timeout=_SECONDS,
                failure="kube-burner failed",
            )
            seconds = time.monotonic() - begun
        machines = self._cluster.list(VIRTUAL_MACHINES, NAME)[0]
        ready = sum(bool(one.get("status", {}).get("ready")) for one in machines)
        self._delete(machines)
        if ready != count:
            raise LabError(f"kube-burner exited with {ready} of {count} machines ready.")
        return seconds

    def _delete(self, machines: list[Object]) -> None:
        for machine in machines:
            self._cluster.delete(VIRTUAL_MACHINES, machine["metadata"]["name"], NAME)
        deadline = time.monotonic() + _SECONDS
        while self._cluster.list(VIRTUAL_MACHINES, NAME)[0]:
            if time.monotonic() > deadline:
                raise LabError("The machines that kube-burner created are still being deleted.")
            time.sleep(_POLL_SECONDS)


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
