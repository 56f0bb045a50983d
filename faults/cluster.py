"""Faults of the lab's own components: each is away for a while, and all at once."""

from __future__ import annotations

import os
import signal
import time
from functools import partial
from itertools import chain

from rich.console import Console

from faults.fault import Fault, fault
from faults.stack import Stack
from lab import lifecycle
from lab.cluster import process
from lab.cluster.process import Component
from lab.cluster.stages import stages
from lab.config import Lab
from lab.host import network
from lab.host.control_groups import KUBELET_CONTROLLERS, Group
from lab.node import cleanup, record
from lab.progress import Progress

AWAY_SECONDS = 30.0
_READY_SECONDS = 60.0
# Those that serve the guests or what the guests depend on; a guest needs none of the others while it runs.
_COMPONENTS = ("coredns", "kube-proxy", "kube-apiserver", "etcd", "node-agent", "virt-controller")


def components(lab: Lab) -> list[Component]:
    """Return the lab's components."""
    return list(chain.from_iterable(stages(lab)))


def not_ready(lab: Lab) -> list[str]:
    """Return the names of the components that don't run or aren't ready."""
    return [one.name for one in components(lab) if process.find(lab, one.name) is None or one.ready() is not None]


def _away(name: str, stack: Stack) -> None:
    component = next(one for one in components(stack.lab) if one.name == name)
    process.stop(stack.lab, name)
    try:
        time.sleep(AWAY_SECONDS)
    finally:
        process.start(stack.lab, component)
        process.wait_ready(stack.lab, component, _READY_SECONDS)


@fault(tolerated=0)
def components_killed(stack: Stack) -> None:
    """All components of the lab are killed at once, and are started again by their supervisor."""
    for one in components(stack.lab):
        if pid := process.find(stack.lab, one.name):
            os.kill(pid, signal.SIGKILL)


@fault()
def everything_killed(stack: Stack) -> None:
    """Every process of the lab is killed and its network is gone, as after a reboot, until the lab is started again."""
    lab = stack.lab
    try:
        Group(lab.name, KUBELET_CONTROLLERS).kill()
        for uid in record.uids(lab):
            cleanup.release(lab, uid)
        network.down(lab)
    finally:
        lifecycle.start(lab, Progress(Console(stderr=True)))


FAULTS = (
    *(
        Fault(f"{name}-away", f"{name} is away for {AWAY_SECONDS:.0f} s.", partial(_away, name), tolerated=0)
        for name in _COMPONENTS
    ),
    components_killed,
)
