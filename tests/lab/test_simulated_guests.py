"""A lab whose guests are simulated: the real control plane and the real engine, and nothing that boots."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bench.fleets import NAME as FLEET
from bench.fleets import Fleet, Kind
from kube.resources import (
    CONFIG_MAPS,
    DATA_VOLUMES,
    PERSISTENT_VOLUMES,
    PODS,
    SIMULATED,
    VIRTUAL_MACHINE_INSTANCES,
    VIRTUAL_MACHINES,
    Object,
)
from lab import environment, lifecycle
from lab.cluster import supervisor
from lab.config import PROJECT, Lab
from tests.lab.stack import NAME, Stack, kernel_traces, stack_file, wait_until
from tests.own_lab import PROGRESS

REPLICAS = 10
MACHINES = 1 + 2 * REPLICAS


@pytest.fixture(scope="module")
def stack(simulated_lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Stack:
    """The stack `lab`, scaled out; brought up, and destroyed by the last test."""

    def change(config: dict[str, Any]) -> None:
        for tier in ("application", "web"):
            config[f"multi-tier:{tier}"]["replicas"] = REPLICAS

    found = Stack(simulated_lab, stack_file(tmp_path_factory.mktemp("stack"), change))
    found.create()
    return found


def command(stack: Stack, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `python -m lab` on this lab."""
    return subprocess.run(
        [sys.executable, "-m", "lab", *arguments],
        cwd=PROJECT,
        env={**environment.process_environment(stack.lab), "MULTI_TIER_LAB": str(stack.lab.root)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def instance(stack: Stack, name: str) -> Object:
    return stack.cluster.find(VIRTUAL_MACHINE_INSTANCES, name, NAME) or {"metadata": {"uid": ""}}


def all_ready(stack: Stack) -> bool:
    machines = stack.cluster.list(VIRTUAL_MACHINES, NAME)[0]
    return len(machines) == MACHINES and all(machine["status"].get("ready") for machine in machines)


def test_the_stack_is_ready_and_said_to_be_simulated(stack: Stack) -> None:
    assert all_ready(stack)
    instances = stack.cluster.list(VIRTUAL_MACHINE_INSTANCES, NAME)[0]
    assert all(SIMULATED in one["metadata"]["annotations"] for one in instances)
    addresses = {one["status"]["interfaces"][0]["ipAddress"] for one in instances}
    assert len(addresses) == MACHINES
    assert [one["status"]["phase"] for one in stack.cluster.list(DATA_VOLUMES, NAME)[0]] == ["Succeeded"]
    status = command(stack, "status")
    assert status.returncode == 0, status.stdout
    assert "simulated: nothing has booted" in status.stdout


def test_no_guest_has_a_process_a_file_or_a_link(stack: Stack) -> None:
    assert not stack.lab.guests.exists()
    assert not stack.lab.disks.exists()
    names = {process.name for process in stack.lab.logs.iterdir()}
    assert not names & {"coredns.log", "kube-proxy.log"}


def test_load_traffic_and_consoles_are_refused_in_plain_words(stack: Stack) -> None:
    run = stack.measure("run", "--for", "1s")
    assert run.returncode == 3
    assert "are simulated: nothing has booted" in run.stderr
    for arguments in (("traffic",), ("console", f"{NAME}-web-0")):
        refused = command(stack, *arguments)
        assert refused.returncode == 1
        assert "The guests of this lab are simulated" in refused.stderr


def test_an_unchanged_up_changes_nothing(stack: Stack) -> None:
    assert stack.preview() == []


def test_a_deleted_instance_gets_a_successor(stack: Stack) -> None:
    name = f"{NAME}-web-1"
    before = instance(stack, name)["metadata"]["uid"]
    stack.cluster.delete(VIRTUAL_MACHINE_INSTANCES, name, NAME)
    wait_until("another instance", lambda: instance(stack, name)["metadata"]["uid"] not in ("", before))
    wait_until("all are ready", lambda: all_ready(stack))


def test_an_instance_whose_pod_is_made_to_fail_fails_and_gets_a_successor(stack: Stack) -> None:
    name = f"{NAME}-web-2"
    before = instance(stack, name)["metadata"]["uid"]
    [pod] = stack.cluster.list(PODS, NAME, labels=f"vm.kubevirt.io/name={name}")[0]
    failed = {"status": {"phase": "Failed"}}
    stack.cluster.patch(PODS, pod["metadata"]["name"], failed, namespace=NAME, subresource="status")
    wait_until("another instance", lambda: instance(stack, name)["metadata"]["uid"] not in ("", before))
    wait_until("all are ready", lambda: all_ready(stack))


def test_another_agent_continues_where_a_killed_one_stopped(stack: Stack) -> None:
    before = {one["metadata"]["uid"] for one in stack.cluster.list(VIRTUAL_MACHINE_INSTANCES, NAME)[0]}
    supervisor.stop(stack.lab, "node-agent")
    name = f"{NAME}-web-3"
    stack.cluster.delete(VIRTUAL_MACHINE_INSTANCES, name, NAME)
    supervisor.start(stack.lab, "node-agent")
    wait_until("another instance", lambda: instance(stack, name)["metadata"]["uid"] not in {"", *before})
    wait_until("all are ready", lambda: all_ready(stack))
    after = {one["metadata"]["uid"] for one in stack.cluster.list(VIRTUAL_MACHINE_INSTANCES, NAME)[0]}
    assert len(before & after) == MACHINES - 1


@pytest.mark.parametrize("kind", Kind)
def test_the_benchs_fleets_come_and_go(stack: Stack, tmp_path: Path, kind: Kind) -> None:
    stack.cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": FLEET}})
    resource = CONFIG_MAPS if kind is Kind.CONFIGMAPS else VIRTUAL_MACHINES

    def names() -> set[str]:
        found = (item["metadata"]["name"] for item in stack.cluster.list(resource, FLEET)[0])
        return {name for name in found if name.startswith(f"{FLEET}-")}

    fleet = Fleet(stack.lab, kind, 3, tmp_path)
    created, previewed = fleet.up(), fleet.preview()
    assert names() == {f"{FLEET}-{number}" for number in range(3)}
    ready = [item for item in stack.cluster.list(VIRTUAL_MACHINES, FLEET)[0] if item["status"].get("ready")]
    assert len(ready) == (3 if kind in (Kind.READY, Kind.POOLED) else 0)
    assert min(created.seconds, previewed.seconds) > 0
    assert created.memory_mib > 50, "the engine and the language host"
    assert created.provider_mib > 20
    fleet.destroy()
    assert names() == set()


def test_destroy_and_the_end_of_the_lab_leave_nothing(stack: Stack) -> None:
    stack.pulumi("destroy", "--yes", "--skip-preview")
    for resource in (VIRTUAL_MACHINES, VIRTUAL_MACHINE_INSTANCES, PODS, DATA_VOLUMES):
        assert stack.cluster.list(resource, NAME)[0] == []
    wait_until("the volume is gone", lambda: stack.cluster.list(PERSISTENT_VOLUMES)[0] == [])
    lifecycle.stop(stack.lab, PROGRESS)
    assert kernel_traces(stack.lab) == []
    assert not stack.lab.root.exists()
