"""Readiness and liveness probes, run as kubelet runs them on KubeVirt: against the guest, from outside of it."""

from __future__ import annotations

import http.client
import socket
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from threading import Event, Thread

from kube.resources import Object
from lab.errors import LabError

_BODY_LIMIT = 10 * 1024
_WHY_LIMIT = 200


class UnsupportedProbeError(LabError):
    """A probe that needs something inside of the guest that the lab's guests don't have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """One probe; times are in seconds.

    Attributes:
        http: True for httpGet, False for tcpSocket.
        host: whom to ask, by address or name.
    """

    http: bool
    host: str
    port: int
    path: str = "/"
    tls: bool = False
    headers: Mapping[str, str]
    initial_delay: float = 0
    period: float = 10
    timeout: float = 1
    success_threshold: int = 1
    failure_threshold: int = 3


def read(spec: Object, address: str) -> Probe:
    """Return the probe that a VMI declares, with Kubernetes' defaults, aimed at a guest's address.

    Raises:
        UnsupportedProbeError: it is an exec or guestAgentPing probe.
    """
    action = spec.get("httpGet") or spec.get("tcpSocket")
    if action is None:
        kind = next((key for key in ("exec", "guestAgentPing") if key in spec), "empty")
        needs = "needs the QEMU guest agent, which a lab guest doesn't run"
        raise UnsupportedProbeError(f"A probe by {kind} {needs}. Use httpGet or tcpSocket.")
    try:
        port = int(action["port"])
    except ValueError:
        raise UnsupportedProbeError(f"The probe's port {action['port']!r} is no number.") from None
    return Probe(
        http="httpGet" in spec,
        host=action.get("host") or address,
        port=port,
        path=action.get("path") or "/",
        tls=action.get("scheme") == "HTTPS",
        headers={header["name"]: header["value"] for header in action.get("httpHeaders", ())},
        initial_delay=spec.get("initialDelaySeconds") or 0,
        period=spec.get("periodSeconds") or 10,
        timeout=spec.get("timeoutSeconds") or 1,
        success_threshold=spec.get("successThreshold") or 1,
        failure_threshold=spec.get("failureThreshold") or 3,
    )


def check(probe: Probe) -> str | None:
    """Run a probe once; return None when it succeeds, else why not."""
    try:
        if probe.http:
            return _http(probe)
        socket.create_connection((probe.host, probe.port), probe.timeout).close()
    except (OSError, http.client.HTTPException) as error:
        return f"{probe.host}:{probe.port}: {error or type(error).__name__}"
    return None


def _http(probe: Probe) -> str | None:
    connection: http.client.HTTPConnection
    if probe.tls:
        # As kubelet: the probe asks whether the service answers, not who it is.
        context = ssl._create_unverified_context()  # noqa: S323
        connection = http.client.HTTPSConnection(probe.host, probe.port, timeout=probe.timeout, context=context)
    else:
        connection = http.client.HTTPConnection(probe.host, probe.port, timeout=probe.timeout)
    try:
        connection.request("GET", probe.path, headers={"User-Agent": "kube-probe/1.35", **probe.headers})
        response = connection.getresponse()
        body = response.read(_BODY_LIMIT)
    finally:
        connection.close()
    if HTTPStatus.OK <= response.status < HTTPStatus.BAD_REQUEST:
        return None
    # A service often says in its answer why it isn't ready; a page for people says nothing more than the status.
    page = (response.headers.get_content_type() == "text/html") or not body
    why = "" if page else f" {body[:_WHY_LIMIT].decode(errors='replace').strip()}"
    return f"HTTP probe failed with statuscode: {response.status}{why}"


class Verdict:
    """What a row of results means: the state changes after as many equal results as the threshold says."""

    def __init__(self, probe: Probe, *, initial: bool) -> None:
        """Start from a state: not ready for a readiness probe, alive for a liveness probe."""
        self.healthy = initial
        self._thresholds = {True: probe.success_threshold, False: probe.failure_threshold}
        self._last: bool | None = None
        self._run = 0

    def observe(self, success: bool) -> bool:
        """Take one result; return whether the state changed."""
        self._run = self._run + 1 if success == self._last else 1
        self._last = success
        if success == self.healthy or self._run < self._thresholds[success]:
            return False
        self.healthy = success
        return True


class Prober(Thread):
    """Runs one probe on time and reports each change of its state, and of the reason while it fails."""

    def __init__(
        self, name: str, probe: Probe, *, initial: bool, started: float, on_change: Callable[[bool, str], None]
    ) -> None:
        """Prepare to probe.

        Args:
            name: the thread's.
            probe: what to run.
            initial: the state to start from.
            started: when the guest started, by `time.time()`; the initial delay counts from here.
            on_change: called with the state, and why when it is a failure.
        """
        super().__init__(name=name, daemon=True)
        self._probe = probe
        self._verdict = Verdict(probe, initial=initial)
        self._first = started + probe.initial_delay
        self._on_change = on_change
        self._stopped = Event()

    def stop(self) -> None:
        """Report nothing from now on; a probe under way ends by its own timeout."""
        self._stopped.set()

    def run(self) -> None:
        """Probe until stopped."""
        self._stopped.wait(max(self._first - time.time(), 0))
        due, said = time.monotonic(), None
        while not self._stopped.is_set():
            why = check(self._probe)
            changed = self._verdict.observe(why is None)
            another_why = not self._verdict.healthy and why not in (None, said)
            if (changed or another_why) and not self._stopped.is_set():
                self._on_change(self._verdict.healthy, why or "")
                said = why
            # A probe that took longer than its period is followed by the next at once, not by several.
            due = max(due + self._probe.period, time.monotonic())
            self._stopped.wait(due - time.monotonic())
