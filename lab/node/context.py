"""What machines share: the API as two users, the objects as last seen, addresses, images and room."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from ipaddress import IPv4Address
from pathlib import Path
from threading import Lock

from kube.client import Api
from kube.informer import Informer
from kube.resources import PODS, SECRETS, VIRTUAL_MACHINE_INSTANCES, Object
from lab.config import NODE_NAME, Lab
from lab.node import network, record, registration, specification, status
from lab.node.events import Recorder
from lab.node.provisioner import Provisioner
from lab.node.record import Record
from lab.node.specification import BlockedError, GuestSpecification, Lookup
from lab.toolchain import image


class Services:
    """One agent's.

    Attributes:
        api: as the node agent, for everything but VMIs.
        handler: as KubeVirt's virt-handler, the only user whose word on a VMI's status is taken.
        instances, pods: VMIs and their launcher Pods.
    """

    def __init__(
        self,
        lab: Lab,
        api: Api,
        handler: Api,
        *,
        events: Recorder,
        provisioner: Provisioner,
        instances: Informer,
        pods: Informer,
    ) -> None:
        """Share these."""
        self.lab = lab
        self.api = api
        self.handler = handler
        self.events = events
        self.instances = instances
        self.pods = pods
        self._provisioner = provisioner
        self._addresses = Lock()
        self._last_address: IPv4Address | None = None

    def wait_synced(self) -> None:
        """Wait until what is seen of VMIs and Pods is complete, so that what isn't seen isn't there."""
        for follower in (self.instances, self.pods, self._provisioner.claims):
            follower.synced.wait()

    def vmi(self, namespace: str, name: str, uid: str) -> Object | None:
        """Return a VMI as last seen, unless another took its name."""
        found = self.instances.get(namespace, name)
        return found if found and found["metadata"]["uid"] == uid else None

    def pod(self, vmi_uid: str) -> Object | None:
        """Return the oldest launcher Pod of a VMI."""
        pods = [pod for pod in self.pods.all() if vmi_uid_of(pod) == vmi_uid]
        return min(pods, key=lambda pod: (pod["metadata"]["creationTimestamp"], pod["metadata"]["uid"]), default=None)

    def no_room(self, vmi: Object, pod: Object) -> str | None:
        """Return why a Pod can't come to this node, or None when it can."""
        labels = registration.labels()
        selector = pod["spec"].get("nodeSelector") or {}
        missing = [f"{key}={value}" for key, value in selector.items() if labels.get(key) != value]
        if missing:
            return f"The lab's only node has no label {', '.join(missing)}."
        placed = [
            other["spec"]["domain"]
            for other in self.instances.all()
            if other.get("status", {}).get("phase") in ("Scheduled", "Running")
            and other["metadata"]["uid"] != vmi["metadata"]["uid"]
        ]
        total = registration.memory_bytes()
        needed = specification.memory(vmi["spec"]["domain"])
        free = total - sum(map(specification.memory, placed))
        if needed > free:
            return f"The machine asks for {needed >> 20} MiB of memory; {max(free, 0) >> 20} MiB of the node are free."
        return None

    def bind(self, pod: Object) -> None:
        """Place a Pod on this node."""
        metadata = pod["metadata"]
        path = PODS.path(metadata["namespace"], metadata["name"], "binding")
        self.api.request("POST", path, status.binding(pod, NODE_NAME))

    def specification(self, vmi: Object) -> GuestSpecification:
        """Return what a VMI asks for, its Secrets and claims looked up.

        Raises:
            BlockedError: something is missing, or beyond this lab.
        """
        namespace, scratch = (
            vmi["metadata"]["namespace"],
            record.directory(self.lab, vmi["metadata"]["uid"]) / "scratch",
        )
        lookup = Lookup(
            secret=lambda name: self._secret(namespace, name),
            claim=lambda name: self._provisioner.file_of(namespace, name),
            scratch=lambda name: scratch / f"{name}.raw",
        )
        return specification.read(vmi, lookup)

    def _secret(self, namespace: str, name: str) -> Mapping[str, bytes] | None:
        found = self.api.find(SECRETS, name, namespace)
        if found is None:
            return None
        return {key: base64.b64decode(value) for key, value in (found.get("data") or {}).items()}

    def rootfs(self, reference: str) -> Path:
        """Return the root file system of an image.

        Raises:
            BlockedError: the lab has no such image.
        """
        found = image.rootfs_for(self.lab, reference)
        if found is None and reference in image.REFERENCES:
            next_step = f"Run `python -m lab image {reference}`."
            raise BlockedError("ErrImagePull", f"The image {reference} is not made on this machine yet. {next_step}")
        if found is None:
            names = ", ".join(image.REFERENCES)
            raise BlockedError("ErrImagePull", f"The lab knows no image {reference}. It knows: {names}.")
        return found

    def reserve(self, namespace: str, name: str, uid: str) -> Record:
        """Return the record of a guest that is about to start, with an address that no other guest has."""
        with self._addresses:
            others = [other for other in record.load_all(self.lab) if other.uid != uid]
            taken = {other.address for other in others if other.ended is None}
            last = self._last_address or max((other.address for other in others), default=None)
            address = network.free_address(self.lab.guest_subnet, taken, last)
            self._last_address = address
            reserved = Record(namespace=namespace, name=name, uid=uid, address=address)
            record.save(self.lab, reserved)
            return reserved

    def write_pod(self, pod: Object, wanted: Object) -> None:
        """Write a Pod's status, unless it says so already."""
        if status.says(pod.get("status", {}), wanted):
            return
        metadata = pod["metadata"]
        # With its uid the patch can't hit a Pod that took the name.
        body = {"metadata": {"uid": metadata["uid"]}, "status": wanted}
        self.api.patch(
            PODS, metadata["name"], body, kind="strategic-merge", namespace=metadata["namespace"], subresource="status"
        )

    def delete_pod(self, pod: Object) -> None:
        """Take a Pod away for good, as kubelet does once nothing of it runs."""
        metadata = pod["metadata"]
        self.api.delete(PODS, metadata["name"], metadata["namespace"], grace_seconds=0, uid=metadata["uid"])

    def write_vmi(self, vmi: Object, patch: list[Object]) -> None:
        """Write a VMI's status."""
        metadata = vmi["metadata"]
        self.handler.patch(
            VIRTUAL_MACHINE_INSTANCES, metadata["name"], patch, kind="json", namespace=metadata["namespace"]
        )


def vmi_uid_of(pod: Object) -> str | None:
    """Return the uid of the VMI that a launcher Pod is for."""
    uid: str | None = pod["metadata"].get("labels", {}).get("kubevirt.io/created-by")
    return uid
