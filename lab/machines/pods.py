"""What a node's Pods have written: a guest's console, and virt-handler's log."""

from __future__ import annotations

from kube.client import Api
from kube.resources import PODS, Object
from lab.errors import LabError

VIRT_HANDLER = "virt-handler"
# The container that copies a guest's serial console to its log, and virt-controller's label with the VM's name.
_CONSOLE_CONTAINER = "guest-console-log"
_MACHINE_LABEL = "vm.kubevirt.io/name"


def console(cluster: Api, name: str) -> str:
    """Return what the newest guest of a VM has written to its serial console.

    Raises:
        LabError: The VM has no guest.
        ApiError: The log can't be read.
    """
    return _log(cluster, f"{_MACHINE_LABEL}={name}", _CONSOLE_CONTAINER, f"guest of a VirtualMachine {name}")


def virt_handler_log(cluster: Api) -> str:
    """Return virt-handler's log.

    Raises:
        LabError: It has no Pod.
        ApiError: The log can't be read.
    """
    return _log(cluster, f"kubevirt.io={VIRT_HANDLER}", VIRT_HANDLER, "Pod of virt-handler")


def _log(cluster: Api, labels: str, container: str, what: str) -> str:
    pods = cluster.list(PODS, labels=labels)[0]
    if not pods:
        raise LabError(f"There is no {what}. See `.venv/bin/python -m lab status`.")
    newest: Object = max(pods, key=lambda pod: pod["metadata"]["creationTimestamp"])["metadata"]
    path = PODS.path(newest["namespace"], newest["name"], "log")
    return cluster.read(f"{path}?container={container}").decode(errors="replace")
