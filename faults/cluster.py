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
from lab.cluster import supervisor
from lab.cluster.stages import stages
from lab.cluster.supervisor import Component
from lab.config import Lab
from lab.host import network
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
    running = {name for name, process in supervisor.processes(lab).items() if process.pid}
    return [one.name for one in components(lab) if one.name not in running or one.ready() is not None]


def _away(name: str, stack: Stack) -> None:
    component = next(one for one in components(stack.lab) if one.name == name)
    supervisor.stop(stack.lab, name)
    try:
        time.sleep(AWAY_SECONDS)
    finally:
        supervisor.start(stack.lab, name)
        supervisor.wait_ready(stack.lab, component, _READY_SECONDS)


@fault(tolerated=0)
def components_killed(stack: Stack) -> None:
    """All components of the lab are killed at once, and are started again by their supervisor."""
    for process in supervisor.processes(stack.lab).values():
        if process.pid:
            os.kill(process.pid, signal.SIGKILL)


@fault()
def everything_killed(stack: Stack) -> None:
    """Every process of the lab is killed and its network is gone, as after a reboot, until the lab is started again."""
    lab = stack.lab
    try:
        lifecycle.kill_all(lab)
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
