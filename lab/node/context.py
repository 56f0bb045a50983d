"""What the controllers of one node share."""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import IPv4Address
from threading import Lock

from kube.client import Api
from kube.informer import Informer
from lab.config import Lab
from lab.node import network, record
from lab.node.events import Recorder
from lab.node.provisioner import Provisioner
from lab.node.record import Record


@dataclass(kw_only=True)
class Context:
    """Clients, caches and address allocation of one node agent.

    Attributes:
        lab: The lab.
        api: The node agent's client, for everything except VMIs.
        handler: Virt-handler's client; status that any other user writes to a VMI is reverted.
        events: Recorder of Events.
        provisioner: Provider of the disks behind PersistentVolumeClaims.
        instances: Cache of VMIs.
        pods: Cache of their launcher Pods.
    """

    lab: Lab
    api: Api
    handler: Api
    events: Recorder
    provisioner: Provisioner
    instances: Informer
    pods: Informer
    _allocating: Lock = field(default_factory=Lock)
    _last_address: IPv4Address | None = None

    def wait_synced(self) -> None:
        """Wait until the caches are complete, so that an object that isn't in them doesn't exist."""
        for informer in (self.instances, self.pods, self.provisioner.claims):
            informer.synced.wait()

    def reserve(self, namespace: str, name: str, uid: str) -> Record:
        """Save and return the record of a guest that is about to start, with an address that no other guest has."""
        with self._allocating:
            others = [other for other in record.load_all(self.lab) if other.uid != uid]
            taken = {other.address for other in others if other.ended is None}
            last = self._last_address or max((other.address for other in others), default=None)
            address = self._last_address = network.free_address(self.lab.guest_subnet, taken, last)
            reserved = Record(namespace=namespace, name=name, uid=uid, address=address)
            record.save(self.lab, reserved)
            return reserved
