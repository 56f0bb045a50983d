"""What the node reads from the VMIs and Pods of its guests, and writes to them as virt-handler and kubelet do."""

from __future__ import annotations

from kube.client import Api
from kube.resources import PODS, VIRTUAL_MACHINE_INSTANCES, Object
from lab.config import NODE_NAME
from lab.node import status

LAUNCHERS = "kubevirt.io=virt-launcher"
"""Label selector of launcher Pods."""


def vmi_uid_of(pod: Object) -> str | None:
    """Return the uid of the VMI that a launcher Pod belongs to."""
    uid: str | None = pod["metadata"].get("labels", {}).get("kubevirt.io/created-by")
    return uid


def vmi_name_of(pod: Object) -> str:
    """Return the name of the VMI that a launcher Pod belongs to."""
    name: str = pod["metadata"].get("annotations", {}).get("kubevirt.io/domain", pod["metadata"]["name"])
    return name


def phase_of(item: Object | None) -> str | None:
    """Return the phase of a VMI or Pod."""
    phase: str | None = item.get("status", {}).get("phase") if item else None
    return phase


def is_deleted(item: Object) -> bool:
    """Whether somebody has deleted a VMI or Pod that still exists."""
    return "deletionTimestamp" in item["metadata"]


def is_ending(item: Object | None) -> bool:
    """Whether a VMI or Pod is gone, is being deleted, or has finished."""
    return item is None or is_deleted(item) or phase_of(item) in status.FINAL_PHASES


def bind(api: Api, pod: Object) -> None:
    """Put a Pod on the node, as the scheduler does."""
    metadata = pod["metadata"]
    path = PODS.path(metadata["namespace"], metadata["name"], "binding")
    api.request("POST", path, status.binding(pod, NODE_NAME))


def write_pod(api: Api, pod: Object, wanted: Object) -> Object:
    """Patch a Pod's status, unless it already has the wanted values. Return the Pod as it is then."""
    if status.says(pod.get("status", {}), wanted):
        return pod
    metadata = pod["metadata"]
    # The uid keeps the patch off another Pod that has taken the name.
    body = {"metadata": {"uid": metadata["uid"]}, "status": wanted}
    where = {"namespace": metadata["namespace"], "subresource": "status"}
    return api.patch(PODS, metadata["name"], body, kind="strategic-merge", **where)


def write_vmi(handler: Api, vmi: Object, patch: list[Object]) -> Object:
    """Patch a VMI as virt-handler, whose status reports are the only ones that last. Return it as it is then."""
    metadata = vmi["metadata"]
    return handler.patch(
        VIRTUAL_MACHINE_INSTANCES, metadata["name"], patch, kind="json", namespace=metadata["namespace"]
    )


def delete_pod(api: Api, pod: Object) -> None:
    """Delete a Pod for good, as kubelet does once nothing of it runs."""
    metadata = pod["metadata"]
    api.delete(PODS, metadata["name"], metadata["namespace"], grace_seconds=0, uid=metadata["uid"])
