"""The Node object: this machine's capacity, and the agent's heartbeat."""

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
# Devices that launcher Pods request; the node doesn't count their use.
_DEVICES = dict.fromkeys(("tun", "kvm", "vhost-net"), 1000)


def labels() -> dict[str, str]:
    """Return the node's labels, by which launcher Pods select nodes."""
    return {
        "kubernetes.io/arch": architecture(),
        "kubernetes.io/hostname": NODE_NAME,
        "kubernetes.io/os": "linux",
        "kubevirt.io/schedulable": "true",
        "machine-type.node.kubevirt.io/q35": "true",
    }


def architecture() -> str:
    """Return this machine's architecture by its name in Kubernetes."""
    return _ARCHITECTURES.get(platform.machine(), platform.machine())


def memory_bytes() -> int:
    """Return the size of this machine's memory."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def node_status(lab: Lab, boot: str, now: float) -> Object:
    """Return the Node's status.

    Args:
        lab: The lab.
        boot: This machine's boot id.
        now: The current Unix time.
    """
    capacity = {
        "cpu": str(os.cpu_count() or 1),
        "memory": f"{memory_bytes() // 1024}Ki",
        "pods": str(_MAX_PODS),
        **{f"devices.kubevirt.io/{name}": str(count) for name, count in _DEVICES.items()},
    }
    states = {
        "MemoryPressure": ("False", "KubeletHasSufficientMemory", ""),
        "DiskPressure": ("False", "KubeletHasNoDiskPressure", ""),
        "PIDPressure": ("False", "KubeletHasSufficientPID", ""),
        "Ready": ("True", "KubeletReady", "the lab's node agent is running"),
    }
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
    """Create or update the Node as ready, for Kubernetes and for KubeVirt.

    Raises:
        ApiError: A request failed.
    """
    now = time.time()
    metadata = {"name": NODE_NAME, "labels": labels(), "annotations": {"kubevirt.io/heartbeat": timestamp(now)}}
    node = {"apiVersion": "v1", "kind": "Node", "metadata": metadata, "spec": {}}
    try:
        api.patch(NODES, NODE_NAME, node)
    except StatusError as error:
        if error.status != HTTPStatus.NOT_FOUND:
            raise
        api.create(NODES, node)
    body = {"status": node_status(lab, boot, now)}
    api.patch(NODES, NODE_NAME, body, kind="strategic-merge", subresource="status")
