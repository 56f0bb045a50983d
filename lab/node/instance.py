"""The controller of one VirtualMachineInstance, from the creation of its launcher Pod to that Pod's end."""

from __future__ import annotations

import logging
import os
import select
import time
import traceback
from collections.abc import Callable
from dataclasses import replace
from threading import Event, Thread

from kube.errors import ApiError
from kube.resources import Object
from lab.errors import LabError
from lab.node import cleanup, guest, network, record, specification, status
from lab.node.context import Context
from lab.node.guest import Guest
from lab.node.launch import launch, unschedulable
from lab.node.probes import Health
from lab.node.reports import (
    bind,
    delete_pod,
    is_deleted,
    is_ending,
    phase_of,
    vmi_uid_of,
    write_pod,
    write_vmi,
)
from lab.node.specification import BlockedError
from lab.node.status import Termination

_RETRY_SECONDS = 0.5
_BLOCKED_SECONDS = 1.0
_CONSOLE_TAIL = 700
_KILLED = 137

logger = logging.getLogger(__name__)


class InstanceController(Thread):
    """Reconciles one VMI with its guest, in a thread of its own.

    Every pass starts from what the API and the kernel show, so it can be repeated, or continued by another agent.
    """

    def __init__(
        self, context: Context, key: tuple[str, str, str], on_end: Callable[[InstanceController], None]
    ) -> None:
        """Prepare to reconcile the VMI with this namespace, name and uid."""
        super().__init__(name=f"instance-{key[1]}", daemon=True)
        self.namespace, self.vmi_name, self.uid = key
        self._context = context
        self._on_end = on_end
        self._guest: Guest | None = None
        self._health: Health | None = None
        self._termination: Termination | None = None
        self._reported_running = False
        # A file object, so that it is closed only when nothing, such as a late probe, can wake this thread any more.
        self._wakeup = os.fdopen(os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK), "r+b", buffering=0)
        self._stopping = Event()

    def __str__(self) -> str:
        return f"{self.namespace}/{self.vmi_name} ({self.uid[:8]})"

    def adopt(self, known: record.Record) -> None:
        """Take over a guest that an earlier agent started, or notice that it has ended; call before `start`."""
        lab = self._context.lab
        self._guest = guest.adopt(lab, known)
        if self._guest:
            logger.info("%s: taken over from an earlier agent", self)
        elif known.ended is not None:
            self._termination = _unattended(known.started)
        else:
            cleanup.release(lab, self.uid)

    def wake(self) -> None:
        """Reconcile again: something has changed."""
        os.eventfd_write(self._wakeup.fileno(), 1)

    def leave(self) -> None:
        """End this thread after its current pass; the guest keeps running."""
        self._stopping.set()
        self.wake()

    def run(self) -> None:
        """Reconcile until the VMI, its Pod and its guest are gone, or until told to leave."""
        self._context.wait_synced()
        logged = ""
        while not self._stopping.is_set():
            problem = ""
            try:
                delay = self._reconcile()
            except (ApiError, LabError, OSError) as error:
                problem, delay = str(error), _RETRY_SECONDS
            except Exception:  # an unexpected object must not end the thread: its guest would be left unattended
                problem, delay = traceback.format_exc(), _BLOCKED_SECONDS
            if problem not in ("", logged):
                logger.warning("%s: %s; retrying", self, problem)
            logged = problem
            if not self._guest and not self._vmi() and not self._pod():
                if not (self._termination and self._termination.failed):  # else its console is kept for a while
                    cleanup.remove_files(self._context.lab, self.uid)
                break
            self._wait(delay)
        self._stop_probes()
        self._on_end(self)

    def _wait(self, delay: float | None) -> None:
        wakeup = self._wakeup.fileno()
        waiting = [wakeup, *([self._guest.fileno()] if self._guest else [])]
        if wakeup in select.select(waiting, [], [], delay)[0]:
            os.eventfd_read(wakeup)

    def _vmi(self) -> Object | None:
        """Return the VMI from the cache, unless another one has its name."""
        found = self._context.instances.get(self.namespace, self.vmi_name)
        return found if found and found["metadata"]["uid"] == self.uid else None

    def _pod(self) -> Object | None:
        """Return the oldest launcher Pod of the VMI from the cache."""
        pods = [pod for pod in self._context.pods.all() if vmi_uid_of(pod) == self.uid]
        return min(pods, key=lambda pod: (pod["metadata"]["creationTimestamp"], pod["metadata"]["uid"]), default=None)

    def _reconcile(self) -> float | None:
        """Do what is due; return the seconds after which to try again, or None to wait for a change."""
        vmi, pod = self._vmi(), self._pod()
        unwanted = is_ending(vmi) or is_ending(pod)
        if self._guest:
            ended = self._guest.has_ended()
            not_alive = self._health.why_not_alive if self._health else None
            if ended and self._guest.exit_code() == guest.REBOOT and not unwanted:
                self._reboot(self._guest)
            elif ended or unwanted or not_alive is not None:
                self._terminate(self._guest, vmi, unwanted=unwanted, not_alive=not_alive)
        if self._guest:
            self._report_running(self._guest, vmi, pod)
            return None
        if not self._termination and "Running" in (phase_of(vmi), phase_of(pod)):
            self._termination = self._lose(unwanted=unwanted)
            if vmi and self._termination.failed:
                self._context.events.record(vmi, "Warning", "GuestFailed", self._termination.message)
        if self._termination:
            self._report_termination(self._termination, vmi, pod)
        elif vmi and pod and not unwanted:
            return self._start(vmi, pod)
        elif pod and is_deleted(pod):
            delete_pod(self._context.api, pod)
        return None

    def _start(self, vmi: Object, pod: Object) -> float | None:
        events = self._context.events
        try:
            if not pod["spec"].get("nodeName"):
                if why := unschedulable(self._context, vmi, pod):
                    events.record(vmi, "Warning", "FailedScheduling", why)
                    write_pod(self._context.api, pod, status.pod_unscheduled(pod, why, time.time()))
                    return _BLOCKED_SECONDS
                bind(self._context.api, pod)
            self._guest, refused = launch(self._context, vmi)
        except (LabError, OSError, ValueError, KeyError) as error:
            reason = error.reason if isinstance(error, BlockedError) else "FailedGuestStart"
            events.record(vmi, "Warning", reason, str(error))
            write_pod(self._context.api, pod, status.pod_blocked(pod, reason, str(error), time.time()))
            return _BLOCKED_SECONDS
        logger.info("%s: guest started at %s", self, self._guest.record.address)
        for limit in refused:
            events.record(vmi, "Warning", "NoLimit", f"This machine can't limit the guest's {limit}.")
        self._report_running(self._guest, vmi, pod)
        return None

    def _report_running(self, running: Guest, vmi: Object | None, pod: Object | None) -> None:
        if vmi is None or pod is None:
            return
        events, address, started = self._context.events, str(running.record.address), running.record.started
        if self._health is None:
            was_ready = status.was_ready(pod)
            self._health = Health(vmi, address, started=started, was_ready=was_ready, on_change=self.wake)
            for text in self._health.unsupported:
                events.record(vmi, "Warning", "UnsupportedProbe", text)
        wanted = status.pod_running(
            pod,
            address=address,
            host=str(self._context.lab.address),
            started=started,
            why_not_ready=self._health.why_not_ready,
            now=time.time(),
        )
        write_pod(self._context.api, pod, wanted)
        # The cached VMI may be older than the last report.
        if phase_of(vmi) == "Scheduled" and not self._reported_running:
            mac = network.network_of(self._context.lab, self.uid).mac
            write_vmi(self._context.handler, vmi, status.vmi_running(vmi, address=address, mac=mac, now=time.time()))
            self._reported_running = True
            events.record(vmi, "Normal", "Started", f"The guest runs at {address}.")

    def _terminate(self, running: Guest, vmi: Object | None, *, unwanted: bool, not_alive: str | None) -> None:
        """Stop the guest if it still runs, find out how it ended, and release its resources."""
        self._stop_probes()
        console = running.console_tail(_CONSOLE_TAIL)
        if not running.has_ended():
            logger.info("%s: stopping the guest: %s", self, not_alive or "deleted")
            running.stop(specification.grace_seconds(vmi) if vmi else 0)
        termination = _termination_of(running, unwanted=unwanted, not_alive=not_alive)
        running.release()
        self._guest, self._termination, self._reported_running = None, termination, False
        logger.info("%s: %s", self, termination.message or "the guest has stopped")
        if termination.failed:
            record.save(self._context.lab, replace(running.record, ended=time.time()))
            if vmi:
                message = f"{termination.message} Last console output: {console}"
                self._context.events.record(vmi, "Warning", "GuestFailed", message)
        cleanup.remove_files(self._context.lab, self.uid, keep_console=termination.failed)

    def _lose(self, *, unwanted: bool) -> Termination:
        """Return how a guest ended, or was stopped, while no agent ran."""
        lab = self._context.lab
        known = record.load(lab, self.uid)
        started = known.started if known else 0.0
        cleanup.release(lab, self.uid)
        cleanup.remove_files(lab, self.uid, keep_console=not unwanted)
        if known and not unwanted:
            record.save(lab, replace(known, ended=time.time()))
        logger.info("%s: the guest ended while no agent ran", self)
        return Termination(started=started) if unwanted else _unattended(started)

    def _reboot(self, ended: Guest) -> None:
        logger.info("%s: the guest reboots", self)
        self._stop_probes()
        self._guest = ended.reboot()

    def _stop_probes(self) -> None:
        if self._health:
            self._health.stop()
        self._health = None

    def _report_termination(self, termination: Termination, vmi: Object | None, pod: Object | None) -> None:
        now = time.time()
        if vmi and phase_of(vmi) in ("Scheduled", "Running"):
            write_vmi(self._context.handler, vmi, status.vmi_finished(vmi, failed=termination.failed, now=now))
        if pod and phase_of(pod) not in status.FINAL_PHASES:
            write_pod(self._context.api, pod, status.pod_finished(pod, termination, now))
        if pod and (is_deleted(pod) or vmi is None or is_deleted(vmi)):
            delete_pod(self._context.api, pod)


def _termination_of(ended: Guest, *, unwanted: bool, not_alive: str | None) -> Termination:
    code, started = ended.exit_code(), ended.record.started
    if unwanted:
        return Termination(started=started)
    if not_alive is not None:
        message = f"The liveness probe failed: {not_alive}"
        return Termination(failed=True, message=message, exit_code=_KILLED, started=started)
    if code == 0:
        return Termination(message="The guest shut itself down.", started=started)
    code = 1 if code is None else code
    return Termination(failed=True, message=f"The guest exited with code {code}.", exit_code=code, started=started)


def _unattended(started: float) -> Termination:
    message = "The guest ended while no node agent ran."
    return Termination(failed=True, message=message, exit_code=1, started=started)
