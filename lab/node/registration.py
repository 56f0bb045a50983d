"""The Node object: this machine's capacity, and the agent's heartbeat."""

from __future__ import annotations

import logging
import os
import platform
import time
from collections.abc import Callable
from http import HTTPStatus
from threading import Event

from kube.client import Api
from kube.errors import ApiError, StatusError
from kube.resources import NODES, Object
from lab.config import NODE_NAME, Lab
from lab.errors import LabError
from lab.node import record, volumes
from lab.node.status import timestamp

_HEARTBEAT_SECONDS = 10.0
_RETRY_SECONDS = 0.5
_MAX_PODS = 110
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
# Devices that launcher Pods request; the node doesn't count their use.
_DEVICES = dict.fromkeys(("tun", "kvm", "vhost-net"), 1000)

logger = logging.getLogger(__name__)


def labels() -> dict[str, str]:
    """Return the node's labels, by which launcher Pods select nodes."""
    return {
        "kubernetes.io/arch": architecture(),
        "kubernetes.io/hostname": NODE_NAME,
        "kubernetes.io/os": "linux",
        "kubevirt.io/schedulable": "true",
        "machine-type.node.kubevirt.io/q35": "true",
    }


def refusal(pod: Object) -> str | None:
    """Return why a Pod's node selector doesn't select this node, or None if it does."""
    selector, found = pod["spec"].get("nodeSelector") or {}, labels()
    missing = [f"{key}={value}" for key, value in selector.items() if found.get(key) != value]
    return f"The lab's only node doesn't have the label {', '.join(missing)}." if missing else None


def architecture() -> str:
    """Return this machine's architecture by its name in Kubernetes."""
    return _ARCHITECTURES.get(platform.machine(), platform.machine())


def memory_bytes() -> int:
    """Return the size of this machine's memory."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def node_status(lab: Lab, now: float) -> Object:
    """Return the Node's status at a Unix time."""
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
            "bootID": record.this_boot(),
            "containerRuntimeVersion": "simulated://" if lab.simulated else "systemd-nspawn://",
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


def register(api: Api, lab: Lab, stopping: Event) -> None:
    """Create the Node and the StorageClass as soon as the API server answers."""
    while not stopping.is_set():
        try:
            _heartbeat(api, lab)
            api.apply(volumes.storage_class())
        except ApiError as error:
            logger.warning("not registered yet: %s", error)
            stopping.wait(_RETRY_SECONDS)
        else:
            return


def keep_alive(api: Api, lab: Lab, stopping: Event, also: Callable[[], None] = lambda: None) -> None:
    """Send heartbeats until told to stop, and do something else each time."""
    while not stopping.wait(_HEARTBEAT_SECONDS):
        try:
            _heartbeat(api, lab)
            also()
        except (ApiError, LabError, OSError) as error:
            logger.warning("heartbeat: %s", error)


def _heartbeat(api: Api, lab: Lab) -> None:
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
    body = {"status": node_status(lab, now)}
    api.patch(NODES, NODE_NAME, body, kind="strategic-merge", subresource="status")
