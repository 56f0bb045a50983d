"""The Node object: that this machine is a node, what it has, and that its agent is alive."""

from __future__ import annotations

import os
import platform
import time
from http import HTTPStatus

from kube.client import Api
from kube.errors import StatusError
from kube.resources import NODES, Object
from lab.config import NODE_NAME, Lab
from lab.node.status import timestamp

HEARTBEAT_SECONDS = 10.0
_MAX_PODS = 110
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
# Devices that virt-controller asks for in launcher Pods; nothing here is counted against them.
_DEVICES = dict.fromkeys(("tun", "kvm", "vhost-net"), 1000)


def labels() -> dict[str, str]:
    """Return the node's labels: what launcher Pods select nodes by."""
    return {
        "kubernetes.io/arch": architecture(),
        "kubernetes.io/hostname": NODE_NAME,
        "kubernetes.io/os": "linux",
        "kubevirt.io/schedulable": "true",
        "machine-type.node.kubevirt.io/q35": "true",
    }


def architecture() -> str:
    """Return this machine's architecture in Kubernetes' terms."""
    return _ARCHITECTURES.get(platform.machine(), platform.machine())


def memory_bytes() -> int:
    """Return how much memory this machine has."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def node() -> Object:
    """Return the Node as it is created or kept."""
    return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": NODE_NAME, "labels": labels()}, "spec": {}}


def node_status(lab: Lab, boot: str, now: float) -> Object:
    """Return the Node's status.

    Args:
        lab: the lab.
        boot: the id of this machine's boot.
        now: the present, by `time.time()`.
    """
    capacity = {
        "cpu": str(os.cpu_count() or 1),
        "memory": f"{memory_bytes() // 1024}Ki",
        "pods": str(_MAX_PODS),
        **{f"devices.kubevirt.io/{name}": str(count) for name, count in _DEVICES.items()},
    }
    wrong = {
        kind: ("False", f"KubeletHas{word}", "")
        for kind, word in (
            ("MemoryPressure", "SufficientMemory"),
            ("DiskPressure", "NoDiskPressure"),
            ("PIDPressure", "SufficientPID"),
        )
    }
    states = {**wrong, "Ready": ("True", "KubeletReady", "the lab's node agent is running")}
    return {
        "capacity": capacity,
        "allocatable": capacity,
        "addresses": [
            {"type": "InternalIP", "address": str(lab.address)},
            {"type": "Hostname", "address": NODE_NAME},
        ],
        "conditions": [
            {
                "type": kind,
                "status": state,
                "reason": reason,
                "message": message,
                "lastHeartbeatTime": timestamp(now),
            }
            for kind, (state, reason, message) in states.items()
        ],
        "nodeInfo": {
            "architecture": architecture(),
            "bootID": boot,
            "containerRuntimeVersion": "systemd-nspawn://",
            "kernelVersion": platform.release(),
            "kubeProxyVersion": "",
            "kubeletVersion": "v1.35.4-lab",
            "machineID": "",
            "operatingSystem": "linux",
            "osImage": _distribution(),
            "systemUUID": "",
        },
    }


def _distribution() -> str:
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        return "Linux"


def heartbeat(api: Api, lab: Lab, boot: str) -> None:
    """Say that the node is there and its agent alive, to Kubernetes and to KubeVirt.

    Raises:
        ApiError: it could not be said.
    """
    now = time.time()
    alive = node()
    alive["metadata"]["annotations"] = {"kubevirt.io/heartbeat": timestamp(now)}
    try:
        api.patch(NODES, NODE_NAME, alive)
    except StatusError as error:
        if error.status != HTTPStatus.NOT_FOUND:
            raise
        api.create(NODES, alive)
    body = {"status": node_status(lab, boot, now)}
    api.patch(NODES, NODE_NAME, body, kind="strategic-merge", subresource="status")
