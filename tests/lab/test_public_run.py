"""What the public run on kind types once it has a cluster, on a lab of its own. The tests are its steps, in order."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Timer

import pytest
import yaml

from kube import client
from kube.resources import NAMESPACES, VIRTUAL_MACHINES, Resource
from lab import environment, lifecycle
from lab.config import PROJECT, Lab
from lab.toolchain.image import GOLDEN
from tests.own_lab import PROGRESS, own_lab

WORKFLOW = PROJECT / ".github" / "workflows" / "kind.yaml"
STORAGE_PROFILES = Resource("cdi.kubevirt.io/v1beta1", "storageprofiles", namespaced=False)
TIERS = ("database", "application", "web")


@dataclass(frozen=True)
class Runner:
    """A runner of the workflow, with the lab as its cluster."""

    lab: Lab
    checkout: Path

    def step(self, name: str) -> str:
        """Run a step's script as the service does, and return what it printed."""
        (job,) = yaml.safe_load(WORKFLOW.read_text())["jobs"].values()
        (script,) = (step["run"] for step in job["steps"] if step.get("name") == name)
        done = subprocess.run(
            ["bash", "-e", "-c", script],
            cwd=self.checkout,
            env={**environment.process_environment(self.lab), **job["env"]},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=600,
            check=False,
        )
        assert done.returncode == 0, done.stdout
        return done.stdout


@pytest.fixture(scope="module")
def runner(project_copy: Path) -> Iterator[Runner]:
    stack = project_copy / "stacks" / "Pulumi.laptop.yaml"
    document = yaml.safe_load(stack.read_text())
    for tier in TIERS:  # not every network that the tests run in has k6's releases
        document["config"][f"multi-tier:{tier}"]["image"] = {"containerDisk": GOLDEN}
    stack.write_text(yaml.safe_dump(document))
    with own_lab() as lab:
        yield Runner(lifecycle.start(lab, PROGRESS), project_copy)


def test_kinds_storage_is_described_once_cdi_has_its_profile(runner: Runner) -> None:
    cluster = client.connect(runner.lab.kubeconfig)
    profile = {"apiVersion": STORAGE_PROFILES.api_version, "kind": "StorageProfile", "metadata": {"name": "standard"}}
    cdi = Timer(1, cluster.apply, ({**profile, "spec": {}},))
    cdi.start()
    runner.step("Describe kind's storage to CDI")
    cdi.join()
    properties = cluster.get(STORAGE_PROFILES, "standard")["spec"]["claimPropertySets"]
    assert properties == [{"accessModes": ["ReadWriteOnce"], "volumeMode": "Filesystem"}]


def test_deploy_brings_up_three_machines_and_sends_a_request(runner: Runner) -> None:
    assert '"tier":"application"' in runner.step("Deploy")
    machines = client.connect(runner.lab.kubeconfig).list(VIRTUAL_MACHINES)[0]
    ready = {machine["metadata"]["name"]: machine["status"].get("ready") for machine in machines}
    assert ready == {f"multi-tier-{tier}-0": True for tier in TIERS}


def test_measure_passes_its_gates_and_leaves_the_report_that_is_kept(runner: Runner) -> None:
    runner.step("Measure")
    (summary,) = runner.checkout.glob("results/*/summary.json")
    assert json.loads(summary.read_text())["verdict"]["reason"] == "all 3 gates passed."


def test_destroy_leaves_no_namespace(runner: Runner) -> None:
    runner.step("Destroy")
    assert client.connect(runner.lab.kubeconfig).find(NAMESPACES, "multi-tier") is None
