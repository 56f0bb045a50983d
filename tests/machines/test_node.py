"""The node itself: what it leaves alone on this machine, its recovery, and its end."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from kube import client
from kube.resources import NODES, PODS, Object, Resource
from lab import lifecycle
from lab.cluster import supervisor
from lab.config import NODE_NAME, GuestKind, Lab
from lab.machines import components
from tests.lab.stack import kernel_traces, wait_until
from tests.machines.machine import in_node
from tests.own_lab import PROGRESS, own_lab

LEASES = Resource("coordination.k8s.io/v1", "leases")
# Not forwarding, which labs with a way out of this machine change for themselves.
SETTINGS = (
    *("vm/overcommit_memory", "vm/panic_on_oom", "kernel/panic", "kernel/panic_on_oops"),
    *("kernel/keys/root_maxkeys", "kernel/keys/root_maxbytes"),
)


@pytest.fixture(scope="module")
def settings() -> dict[str, str]:
    return machine_settings()


@pytest.fixture(scope="module")
def lab(settings: dict[str, str]) -> Iterator[Lab]:
    """A lab of machines without any, which the tests may break."""
    assert settings, "recorded before the lab starts"
    with own_lab(kind=GuestKind.MACHINES) as installed:
        yield lifecycle.start(installed, PROGRESS)


def machine_settings() -> dict[str, str]:
    return {name: Path("/proc/sys", name).read_text().strip() for name in SETTINGS}


def node_ready(lab: Lab, since: datetime) -> bool:
    """Whether the kubelet has renewed its lease since a time, on a node that is ready."""
    cluster = client.connect(lab.kubeconfig)
    renewed = cluster.get(LEASES, NODE_NAME, "kube-node-lease")["spec"]["renewTime"]
    conditions = cluster.get(NODES, NODE_NAME)["status"]["conditions"]
    ready = any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)
    return ready and datetime.fromisoformat(renewed) > since


def handler_states(lab: Lab) -> list[Object]:
    pods = client.connect(lab.kubeconfig).list(PODS, "kubevirt", labels="kubevirt.io=virt-handler")[0]
    return [state for pod in pods for state in pod.get("status", {}).get("containerStatuses") or ()]


def handler_ready(lab: Lab, restarts: int) -> bool:
    """Whether virt-handler is ready after at least so many restarts."""
    states = handler_states(lab)
    return bool(states) and all(state["ready"] and state["restartCount"] >= restarts for state in states)


def test_kubelet_changes_the_nodes_settings_and_not_this_machines(lab: Lab, settings: dict[str, str]) -> None:
    assert in_node(lab, "cat", "/proc/sys/vm/overcommit_memory").strip() == "1"
    assert machine_settings() == settings


@pytest.mark.parametrize("name", ["kubelet", "containerd", "node"])
def test_a_killed_component_starts_again_and_the_node_serves(lab: Lab, name: str) -> None:
    pid = supervisor.find(lab, name)
    assert pid
    restarts = sum(state["restartCount"] for state in handler_states(lab))
    os.kill(pid, signal.SIGKILL)
    killed = datetime.now(UTC)
    wait_until(f"{name} runs again", lambda: supervisor.find(lab, name) not in (None, pid))

    wait_until("the node is ready", lambda: node_ready(lab, killed), 180)
    # Only the node's end is that of its containers.
    wait_until("virt-handler serves", lambda: handler_ready(lab, restarts + (name == "node")), 180)


def test_stopping_the_lab_leaves_nothing(lab: Lab, settings: dict[str, str]) -> None:
    leader = components.first_process(lab)
    assert leader
    os.kill(leader, signal.SIGKILL)
    lifecycle.stop(lab, PROGRESS)

    assert kernel_traces(lab) == []
    assert not lab.root.exists()
    assert machine_settings() == settings
