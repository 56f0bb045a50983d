"""The agent: a controller for each VMI, a provisioner for volumes, and a heartbeat."""

from __future__ import annotations

import logging
import time
from threading import Event, Lock

from kube.client import connect
from kube.informer import Informer
from kube.resources import PODS, VIRTUAL_MACHINE_INSTANCES, VIRTUAL_MACHINES, Object
from lab.config import Lab
from lab.node import cleanup, consoles, record, registration
from lab.node.context import Context
from lab.node.events import Recorder
from lab.node.instance import InstanceController
from lab.node.provisioner import Provisioner
from lab.node.reports import LAUNCHERS, vmi_name_of, vmi_uid_of

_LEAVING_SECONDS = 5.0

logger = logging.getLogger(__name__)


class Agent:
    """The node agent of one lab."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._api = connect(lab.component_kubeconfig("node-agent"))
        handler = connect(lab.component_kubeconfig("virt-handler"))
        events = Recorder(self._api)
        self._context = Context(
            lab=lab,
            api=self._api,
            handler=handler,
            events=events,
            provisioner=Provisioner(lab, self._api, events),
            instances=Informer(handler, VIRTUAL_MACHINE_INSTANCES, self._on_vmi),
            pods=Informer(self._api, PODS, self._on_pod, labels=LAUNCHERS),
        )
        # Not reconciled here: consoles of failed guests are kept as long as their VM exists.
        self._virtual_machines = Informer(self._api, VIRTUAL_MACHINES, self._on_virtual_machine)
        self._controllers: dict[str, InstanceController] = {}
        self._leaving = False
        self._lock = Lock()

    def run(self, stopping: Event) -> None:
        """Work until told to stop; guests keep running."""
        logger.info("node agent of %s starts", self._lab.root)
        registration.register(self._api, self._lab, stopping)
        self._adopt()
        for thread in (self._context.provisioner, self._context.instances, self._context.pods, self._virtual_machines):
            thread.start()
        registration.keep_alive(self._api, self._lab, stopping, self._trim_consoles)
        logger.info("node agent ends; guests keep running")
        with self._lock:
            self._leaving = True
            controllers = list(self._controllers.values())
        for controller in controllers:
            controller.leave()
        deadline = time.monotonic() + _LEAVING_SECONDS
        for controller in controllers:
            controller.join(max(deadline - time.monotonic(), 0))

    def _adopt(self) -> None:
        """Take over what an earlier agent left: running guests, ended ones, and half-created ones."""
        for uid in record.uids(self._lab):
            known = record.load(self._lab, uid)
            if known is None:
                cleanup.release(self._lab, uid)
                cleanup.remove_files(self._lab, uid)
            else:
                self._wake(known.namespace, known.name, uid)

    def _trim_consoles(self) -> None:
        if self._virtual_machines.synced.is_set():
            consoles.keep(self._lab, lambda namespace, name: self._virtual_machines.get(namespace, name) is not None)

    def _on_virtual_machine(self, _machine: Object, present: bool) -> None:
        if not present:
            self._trim_consoles()

    def _on_vmi(self, vmi: Object, present: bool) -> None:
        metadata = vmi["metadata"]
        if present or metadata["uid"] in self._controllers:
            self._wake(metadata["namespace"], metadata["name"], metadata["uid"])

    def _on_pod(self, pod: Object, present: bool) -> None:
        uid = vmi_uid_of(pod)
        if uid and (present or uid in self._controllers):
            self._wake(pod["metadata"]["namespace"], vmi_name_of(pod), uid)

    def _wake(self, namespace: str, name: str, uid: str) -> None:
        """Have a VMI reconciled, by a new controller if it has none."""
        with self._lock:
            controller = self._controllers.get(uid)
            if controller is None and self._leaving:
                return
            if controller is None:
                controller = InstanceController(self._context, (namespace, name, uid), self._on_end)
                if known := record.load(self._lab, uid):
                    controller.adopt(known)
                self._controllers[uid] = controller
                controller.start()
            controller.wake()

    def _on_end(self, controller: InstanceController) -> None:
        with self._lock:
            if self._controllers.get(controller.uid) is controller:
                del self._controllers[controller.uid]
