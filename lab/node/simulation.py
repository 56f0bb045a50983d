"""Guests that are not booted: what the node reports on each as if it ran and were ready."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from datetime import datetime
from ipaddress import IPv4Address
from threading import Event, Lock, Thread

from kube.client import connect
from kube.errors import ApiError
from kube.informer import Informer
from kube.resources import PODS, VIRTUAL_MACHINE_INSTANCES, Object
from lab.config import Lab
from lab.node import network, registration, status
from lab.node.events import Recorder
from lab.node.provisioner import Provisioner
from lab.node.reports import (
    LAUNCHERS,
    bind,
    delete_pod,
    is_deleted,
    is_ending,
    phase_of,
    vmi_name_of,
    vmi_uid_of,
    write_pod,
    write_vmi,
)
from lab.node.status import Termination
from lab.node.work_queue import WorkQueue

# Each has a connection of its own for each of two users. Python can't use more than a processor's time anyway.
_WORKERS = 6
_RETRY_SECONDS = 0.5

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class _Guest:
    """What names a VMI and its launcher Pod, and what the node has given them."""

    namespace: str
    name: str
    pod: str = ""
    address: IPv4Address | None = None


class SimulatedNode:
    """The node agent of a lab whose guests are simulated.

    All state is in the API, so another agent can continue at any point. A guest fails when somebody sets the phase of
    its Pod to Failed.
    """

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._api = connect(lab.component_kubeconfig("node-agent"))
        self._handler = connect(lab.component_kubeconfig("virt-handler"))
        self._events = Recorder(self._api)
        self._provisioner = Provisioner(lab, self._api, self._events)
        self._instances = Informer(self._handler, VIRTUAL_MACHINE_INSTANCES, self._on_vmi)
        self._pods = Informer(self._api, PODS, self._on_pod, labels=LAUNCHERS)
        self._queue = WorkQueue()
        self._lock = Lock()
        self._guests: dict[str, _Guest] = {}
        self._taken: set[IPv4Address] = set()
        self._last_address: IPv4Address | None = None

    def run(self, stopping: Event) -> None:
        """Work until told to stop; what was reported stays."""
        logger.info("node agent of %s starts; its guests are simulated", self._lab.root)
        registration.register(self._api, self._lab, stopping)
        for thread in (self._provisioner, self._instances, self._pods):
            thread.start()
        self._instances.synced.wait()
        self._pods.synced.wait()
        addresses = (pod.get("status", {}).get("podIP") for pod in self._pods.all())
        self._taken.update(IPv4Address(address) for address in addresses if address)
        for number in range(_WORKERS):
            Thread(target=self._work, name=f"worker-{number}", daemon=True).start()
        registration.keep_alive(self._api, self._lab, stopping)

    def _on_vmi(self, vmi: Object, present: bool) -> None:
        metadata = vmi["metadata"]
        self._changed(metadata["uid"], metadata["namespace"], metadata["name"], known_only=not present)

    def _on_pod(self, pod: Object, present: bool) -> None:
        if uid := vmi_uid_of(pod):
            metadata = pod["metadata"]
            self._changed(uid, metadata["namespace"], vmi_name_of(pod), metadata["name"], known_only=not present)

    def _changed(self, uid: str, namespace: str, name: str, pod: str = "", *, known_only: bool) -> None:
        with self._lock:
            if known_only and uid not in self._guests:
                return
            guest = self._guests.setdefault(uid, _Guest(namespace, name))
            guest.pod = pod or guest.pod
        self._queue.add(uid)

    def _work(self) -> None:
        while True:
            with self._queue.next() as uid:
                try:
                    if guest := self._guests.get(uid):
                        self._reconcile(uid, guest)
                except Exception as error:  # an unexpected object must not end the thread, which others need
                    trace = None if isinstance(error, ApiError) else error
                    logger.warning("%s: %s; retrying", uid, error, exc_info=trace)
                    self._queue.add(uid, _RETRY_SECONDS)

    def _reconcile(self, uid: str, guest: _Guest) -> None:
        vmi = self._instances.get(guest.namespace, guest.name)
        vmi = vmi if vmi and vmi["metadata"]["uid"] == uid else None  # else another one has its name
        pod = self._pods.get(guest.namespace, guest.pod)
        if vmi is None and pod is None:
            self._forget(uid)
        elif vmi and pod and not is_ending(vmi) and not is_ending(pod):
            self._start(uid, guest, vmi, pod)
        elif pod is None or phase_of(pod) != "Pending" or is_deleted(pod):
            self._end(vmi, pod)

    def _start(self, uid: str, guest: _Guest, vmi: Object, pod: Object) -> None:
        now = time.time()
        if not pod["spec"].get("nodeName"):
            if why := registration.refusal(pod):
                self._events.record(vmi, "Warning", "FailedScheduling", why)
                self._pods.put(write_pod(self._api, pod, status.pod_unscheduled(pod, why, now)))
                return
            bind(self._api, pod)
        address, host = str(self._address(guest, pod)), str(self._lab.address)
        started = _started(pod) or now
        wanted = status.pod_running(pod, address=address, host=host, started=started, why_not_ready=None, now=now)
        self._pods.put(write_pod(self._api, pod, wanted))
        if phase_of(vmi) == "Scheduled":
            mac = network.network_of(self._lab, uid).mac
            running = status.vmi_running(vmi, address=address, mac=mac, now=now)
            self._instances.put(write_vmi(self._handler, vmi, [*running, status.vmi_simulated(vmi)]))

    def _end(self, vmi: Object | None, pod: Object | None) -> None:
        now = time.time()
        failed = phase_of(pod) == "Failed"
        if vmi and phase_of(vmi) in ("Scheduled", "Running"):
            self._instances.put(write_vmi(self._handler, vmi, status.vmi_finished(vmi, failed=failed, now=now)))
        if pod and phase_of(pod) == "Running":
            termination = Termination(started=_started(pod) or now)
            self._pods.put(write_pod(self._api, pod, status.pod_finished(pod, termination, now)))
        if pod and (is_deleted(pod) or vmi is None or is_deleted(vmi)):
            delete_pod(self._api, pod)

    def _address(self, guest: _Guest, pod: Object) -> IPv4Address:
        """Return the address of a guest: that in its Pod's status, else one that no other guest has."""
        with self._lock:
            if guest.address is None:
                if found := pod.get("status", {}).get("podIP"):
                    guest.address = IPv4Address(found)
                else:
                    subnet = self._lab.guest_subnet
                    guest.address = network.free_address(subnet, self._taken, self._last_address)
                    self._last_address = guest.address
                self._taken.add(guest.address)
            return guest.address

    def _forget(self, uid: str) -> None:
        with self._lock:
            guest = self._guests.pop(uid, None)
            if guest and guest.address:
                self._taken.discard(guest.address)


def _started(pod: Object) -> float | None:
    """Return when a Pod's guest started, in Unix time; None if it hasn't yet."""
    found = pod.get("status", {}).get("startTime")
    return datetime.fromisoformat(found).timestamp() if found else None
