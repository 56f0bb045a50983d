"""One VirtualMachineInstance on this node, from its launcher Pod's creation to that Pod's end."""

from __future__ import annotations

import os
import select
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, replace
from threading import Event, Thread

from kube.errors import ApiError
from kube.resources import Object
from lab.errors import LabError
from lab.node import cleanup, guest, network, record, specification, status
from lab.node.context import Services
from lab.node.guest import Guest
from lab.node.health import Health
from lab.node.log import log
from lab.node.specification import BlockedError

_RETRY_SECONDS = 0.5
_BLOCKED_SECONDS = 1.0
_CONSOLE_TAIL = 700
_KILLED = 137


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a guest ended, as the API is told."""

    failed: bool
    message: str
    exit_code: int
    started: float


class Machine(Thread):
    """Brings what is and what should be together, for one VMI, in a thread of its own.

    Every step starts from what the API and the kernel show, so it may be repeated, or taken up by another agent.
    """

    def __init__(self, services: Services, key: tuple[str, str, str], on_end: Callable[[Machine], None]) -> None:
        """Prepare to keep a VMI; `key` is its namespace, name and uid."""
        super().__init__(name=f"machine-{key[1]}", daemon=True)
        self.namespace, self.vmi_name, self.uid = key
        self._services = services
        self._on_end = on_end
        self._guest: Guest | None = None
        self._health: Health | None = None
        self._outcome: Outcome | None = None
        self._told_running = False
        # A file object, so that it is closed only when nobody (such as a late probe) can wake this machine any more.
        self._wakeup = os.fdopen(os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK), "r+b", buffering=0)
        self._stopping = Event()

    def __str__(self) -> str:
        return f"{self.namespace}/{self.vmi_name} ({self.uid[:8]})"

    def adopt(self, known: record.Record) -> None:
        """Take over a guest that a former agent started, or learn that it ended. Before `start` only."""
        lab = self._services.lab
        self._guest = guest.adopt(lab, known)
        if self._guest:
            log(f"{self}: taken over from a former agent")
        elif known.ended is not None:
            self._outcome = _lost(known.started)
        else:
            cleanup.release(lab, self.uid)

    def wake(self) -> None:
        """Look again: something changed."""
        os.eventfd_write(self._wakeup.fileno(), 1)

    def leave(self) -> None:
        """End this thread after its present step; the guest runs on."""
        self._stopping.set()
        self.wake()

    def run(self) -> None:
        """Keep the VMI until nothing of it is left, or told to leave."""
        self._services.wait_synced()
        said = ""
        while not self._stopping.is_set():
            trouble = ""
            try:
                delay = self._step()
            except (ApiError, LabError, OSError) as error:
                trouble, delay = str(error), _RETRY_SECONDS
            except Exception:  # whatever an odd object may cause: the guest must not be left unattended
                trouble, delay = traceback.format_exc(), _BLOCKED_SECONDS
            if trouble not in ("", said):
                log(f"{self}: {trouble}; trying again")
            said = trouble
            if not self._guest and not self._vmi() and not self._pod():
                self._forget()
                break
            self._wait(delay)
        self._forget_health()
        self._on_end(self)

    def _wait(self, delay: float | None) -> None:
        wakeup = self._wakeup.fileno()
        waiting = [wakeup, *([self._guest.fileno()] if self._guest else [])]
        if wakeup in select.select(waiting, [], [], delay)[0]:
            os.eventfd_read(wakeup)

    def _vmi(self) -> Object | None:
        return self._services.vmi(self.namespace, self.vmi_name, self.uid)

    def _pod(self) -> Object | None:
        return self._services.pod(self.uid)

    def _step(self) -> float | None:
        """Do what is to be done now; return after how many seconds to look again without a cause, or None."""
        vmi, pod = self._vmi(), self._pod()
        if self._guest:
            ended = self._guest.exit()
            unwanted = _leaving(vmi) or _leaving(pod)
            not_alive = self._health.why_not_alive if self._health else None
            if ended and ended.rebooting and not unwanted:
                self._reboot(self._guest)
            elif ended or unwanted or not_alive is not None:
                self._end(self._guest, vmi, unwanted=unwanted, not_alive=not_alive)
        if self._guest:
            self._report_running(self._guest, vmi, pod)
            return None
        if not self._outcome and "Running" in (_phase(vmi), _phase(pod)):
            self._outcome = self._lose(unwanted=_leaving(vmi) or _leaving(pod))
            if vmi and self._outcome.failed:
                self._services.events.record(vmi, "Warning", "GuestFailed", self._outcome.message)
        if self._outcome:
            self._report_end(self._outcome, vmi, pod)
        elif vmi and pod and not _leaving(vmi) and not _leaving(pod):
            return self._start(vmi, pod)
        elif pod and _deleted(pod):
            self._services.delete_pod(pod)
        return None

    def _start(self, vmi: Object, pod: Object) -> float | None:
        services = self._services
        try:
            if not pod["spec"].get("nodeName"):
                if why := services.no_room(vmi, pod):
                    services.events.record(vmi, "Warning", "FailedScheduling", why)
                    services.write_pod(pod, status.pod_unscheduled(pod, why, time.time()))
                    return _BLOCKED_SECONDS
                services.bind(pod)
            wanted = services.specification(vmi)
            rootfs = services.rootfs(wanted.image)
            reserved = services.reserve(self.namespace, self.vmi_name, self.uid)
            self._guest, refused = guest.start(services.lab, wanted, rootfs, reserved)
        except (LabError, OSError, ValueError, KeyError) as error:
            reason = error.reason if isinstance(error, BlockedError) else "FailedGuestStart"
            services.events.record(vmi, "Warning", reason, str(error))
            services.write_pod(pod, status.pod_blocked(pod, reason, str(error), time.time()))
            return _BLOCKED_SECONDS
        log(f"{self}: guest started at {reserved.address} from {wanted.image}")
        for limit in refused:
            services.events.record(vmi, "Warning", "NoLimit", f"This machine can't limit the guest's {limit}.")
        self._report_running(self._guest, vmi, pod)
        return None

    def _report_running(self, running: Guest, vmi: Object | None, pod: Object | None) -> None:
        if vmi is None or pod is None:
            return
        services, known = self._services, running.record
        if self._health is None:
            self._health = Health(
                vmi,
                str(known.address),
                started=known.started,
                was_ready=status.was_ready(pod),
                on_change=self.wake,
            )
            for text in self._health.unsupported:
                services.events.record(vmi, "Warning", "UnsupportedProbe", text)
        wanted = status.pod_running(
            pod,
            address=str(known.address),
            host=str(services.lab.address),
            started=known.started,
            why_not_ready=self._health.why_not_ready,
            now=time.time(),
        )
        services.write_pod(pod, wanted)
        # What is seen of the VMI may still be from before it was told.
        if _phase(vmi) == "Scheduled" and not self._told_running:
            mac = network.network_of(services.lab, self.uid).mac
            services.write_vmi(vmi, status.vmi_running(vmi, address=str(known.address), mac=mac, now=time.time()))
            self._told_running = True
            services.events.record(vmi, "Normal", "Started", f"The guest runs at {known.address}.")

    def _end(self, running: Guest, vmi: Object | None, *, unwanted: bool, not_alive: str | None) -> None:
        """Stop the guest if it still runs, find out how it ended, and give back what it held."""
        self._forget_health()
        console = _tail(running)
        if running.exit() is None:
            log(f"{self}: stopping the guest: {not_alive or 'deleted'}")
            running.stop(specification.grace_seconds(vmi) if vmi else 0)
        outcome = _outcome(running, unwanted=unwanted, not_alive=not_alive)
        running.release()
        running.close()
        self._guest, self._outcome, self._told_running = None, outcome, False
        log(f"{self}: {outcome.message or 'the guest is stopped'}")
        if outcome.failed:
            record.save(self._services.lab, replace(running.record, ended=time.time()))
            if vmi:
                message = f"{outcome.message} Its console ended with: {console}"
                self._services.events.record(vmi, "Warning", "GuestFailed", message)
        cleanup.remove_files(self._services.lab, self.uid, keep_console=outcome.failed)

    def _lose(self, *, unwanted: bool) -> Outcome:
        """Return the end of a guest that ran and is gone: it ended, or was stopped, when no agent was there."""
        lab = self._services.lab
        known = record.load(lab, self.uid)
        started = known.started if known else 0.0
        cleanup.release(lab, self.uid)
        cleanup.remove_files(lab, self.uid, keep_console=not unwanted)
        if known and not unwanted:
            record.save(lab, replace(known, ended=time.time()))
        log(f"{self}: the guest ended while no agent ran")
        return Outcome(failed=False, message="", exit_code=0, started=started) if unwanted else _lost(started)

    def _reboot(self, ended: Guest) -> None:
        log(f"{self}: the guest reboots")
        self._forget_health()
        self._guest = guest.reboot(ended)

    def _forget_health(self) -> None:
        if self._health:
            self._health.stop()
        self._health = None

    def _report_end(self, outcome: Outcome, vmi: Object | None, pod: Object | None) -> None:
        services, now = self._services, time.time()
        if vmi and _phase(vmi) in ("Scheduled", "Running"):
            services.write_vmi(vmi, status.vmi_finished(vmi, failed=outcome.failed, now=now))
        if pod and _phase(pod) not in status.FINAL_PHASES:
            finished = status.pod_finished(
                pod,
                failed=outcome.failed,
                message=outcome.message,
                exit_code=outcome.exit_code,
                started=outcome.started,
                now=now,
            )
            services.write_pod(pod, finished)
        if pod and (_deleted(pod) or vmi is None or _deleted(vmi)):
            services.delete_pod(pod)

    def _forget(self) -> None:
        """Remove what was kept of a guest whose VMI is gone, unless it failed: its console is still of interest."""
        if not (self._outcome and self._outcome.failed):
            cleanup.remove_files(self._services.lab, self.uid)


def _phase(item: Object | None) -> str | None:
    phase: str | None = item.get("status", {}).get("phase") if item else None
    return phase


def _deleted(item: Object) -> bool:
    return "deletionTimestamp" in item["metadata"]


def _leaving(item: Object | None) -> bool:
    """Whether a VMI or Pod is gone, is to go, or has had its end."""
    return item is None or _deleted(item) or _phase(item) in status.FINAL_PHASES


def _outcome(ended: Guest, *, unwanted: bool, not_alive: str | None) -> Outcome:
    how, started = ended.exit(), ended.record.started
    if unwanted:
        return Outcome(failed=False, message="", exit_code=0, started=started)
    if not_alive is not None:
        message = f"The liveness probe failed: {not_alive}"
        return Outcome(failed=True, message=message, exit_code=_KILLED, started=started)
    if how and how.shut_down:
        return Outcome(failed=False, message="The guest shut itself down.", exit_code=0, started=started)
    code = how.code if how and how.code is not None else 1
    return Outcome(failed=True, message=f"The guest ended with code {code}.", exit_code=code, started=started)


def _lost(started: float) -> Outcome:
    return Outcome(failed=True, message="The guest ended while no node agent ran.", exit_code=1, started=started)


def _tail(ended: Guest) -> str:
    try:
        return ended.console.read_text(errors="replace")[-_CONSOLE_TAIL:].strip()
    except OSError:
        return "(nothing)"
