"""The agent: one machine a VMI, one provisioner for volumes, and a heartbeat."""

from __future__ import annotations

import time
from threading import Event, Lock

from kube import client
from kube.errors import ApiError
from kube.informer import Informer
from kube.resources import PODS, VIRTUAL_MACHINE_INSTANCES, VIRTUAL_MACHINES, Object
from lab.config import Lab
from lab.errors import LabError
from lab.node import cleanup, consoles, context, record, registration, volumes
from lab.node.context import Services
from lab.node.events import Recorder
from lab.node.log import log
from lab.node.machine import Machine
from lab.node.provisioner import Provisioner

_LAUNCHERS = "kubevirt.io=virt-launcher"
_RETRY_SECONDS = 0.5
_LEAVING_SECONDS = 5.0


class Agent:
    """The node agent of one lab."""

    def __init__(self, lab: Lab) -> None:
        """Connect; nothing is asked yet."""
        self._lab = lab
        self._api = client.connect(lab.component_kubeconfig("node-agent"))
        handler = client.connect(lab.component_kubeconfig("virt-handler"))
        events = Recorder(self._api)
        self._provisioner = Provisioner(lab, self._api, events)
        self._services = Services(
            lab,
            self._api,
            handler,
            events=events,
            provisioner=self._provisioner,
            instances=Informer(handler, VIRTUAL_MACHINE_INSTANCES, self._on_vmi),
            pods=Informer(self._api, PODS, self._on_pod, labels=_LAUNCHERS),
        )
        # Virtual machines are virt-controller's; here they only tell how long a failed guest's console is of interest.
        self._virtual_machines = Informer(self._api, VIRTUAL_MACHINES, self._on_virtual_machine)
        self._machines: dict[str, Machine] = {}
        self._leaving = False
        self._lock = Lock()

    def run(self, stopping: Event) -> None:
        """Work until told to stop; guests run on."""
        log(f"node agent of {self._lab.root} starts")
        self._register(stopping)
        self._adopt()
        self._provisioner.start()
        self._services.instances.start()
        self._services.pods.start()
        self._virtual_machines.start()
        while not stopping.wait(registration.HEARTBEAT_SECONDS):
            self._keep()
        log("node agent ends; guests run on")
        with self._lock:
            self._leaving = True
            machines = list(self._machines.values())
        for machine in machines:
            machine.leave()
        deadline = time.monotonic() + _LEAVING_SECONDS
        for machine in machines:
            machine.join(max(deadline - time.monotonic(), 0))

    def _register(self, stopping: Event) -> None:
        """Make the Node and the StorageClass, as soon as the API server answers."""
        while not stopping.is_set():
            try:
                registration.heartbeat(self._api, self._lab, record.this_boot())
                self._api.apply(volumes.storage_class())
            except ApiError as error:
                log(f"not registered yet: {error}")
                stopping.wait(_RETRY_SECONDS)
            else:
                return

    def _adopt(self) -> None:
        """Take over what a former agent left: running guests, ended ones, and half-made ones."""
        for uid in record.uids(self._lab):
            known = record.load(self._lab, uid)
            if known is None:
                cleanup.release(self._lab, uid)
                cleanup.remove_files(self._lab, uid)
            else:
                self._machine(known.namespace, known.name, uid)

    def _keep(self) -> None:
        try:
            registration.heartbeat(self._api, self._lab, record.this_boot())
            self._keep_consoles()
        except (ApiError, LabError, OSError) as error:
            log(f"heartbeat: {error}")

    def _keep_consoles(self) -> None:
        if self._virtual_machines.synced.is_set():
            consoles.keep(self._lab, lambda namespace, name: self._virtual_machines.get(namespace, name) is not None)

    def _on_virtual_machine(self, _machine: Object, present: bool) -> None:
        if not present:
            self._keep_consoles()

    def _on_vmi(self, vmi: Object, present: bool) -> None:
        metadata = vmi["metadata"]
        with self._lock:
            known = metadata["uid"] in self._machines
        if present or known:
            self._machine(metadata["namespace"], metadata["name"], metadata["uid"])

    def _on_pod(self, pod: Object, present: bool) -> None:
        uid = context.vmi_uid_of(pod)
        with self._lock:
            known = uid in self._machines
        if uid and (present or known):
            # A launcher Pod has its VMI's name in an annotation; what is called by it is found by uid anyway.
            name = pod["metadata"].get("annotations", {}).get("kubevirt.io/domain", pod["metadata"]["name"])
            self._machine(pod["metadata"]["namespace"], name, uid)

    def _machine(self, namespace: str, name: str, uid: str) -> None:
        """Wake the machine of a VMI, which is started if there is none."""
        with self._lock:
            machine = self._machines.get(uid)
            if machine is None and self._leaving:
                return
            if machine is None:
                machine = Machine(self._services, (namespace, name, uid), self._on_end)
                if known := record.load(self._lab, uid):
                    machine.adopt(known)
                self._machines[uid] = machine
                machine.start()
            machine.wake()

    def _on_end(self, machine: Machine) -> None:
        with self._lock:
            if self._machines.get(machine.uid) is machine:
                del self._machines[machine.uid]
