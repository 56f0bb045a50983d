"""Readiness and liveness probes, sent to the guest from outside, as kubelet sends them on KubeVirt."""

from __future__ import annotations

import http.client
import logging
import socket
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from threading import Event, Thread

from kube.resources import Object
from lab.errors import LabError

_BODY_LIMIT = 10 * 1024
_QUOTE_LIMIT = 200

logger = logging.getLogger(__name__)


class UnsupportedProbeError(LabError):
    """The probe needs something inside the guest that lab guests don't run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """One probe; times are in seconds.

    Attributes:
        http: Whether it is an httpGet probe; otherwise tcpSocket.
        host: Address or name to connect to.
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
    """Return the probe that a VMI declares, with the defaults of Kubernetes and the guest's address.

    Raises:
        UnsupportedProbeError: It is an exec or guestAgentPing probe, or has a named port.
    """
    action = spec.get("httpGet") or spec.get("tcpSocket")
    if action is None:
        kind = next((key for key in ("exec", "guestAgentPing") if key in spec), "empty")
        message = f"The {kind} probe needs the QEMU guest agent, which lab guests don't run. Use httpGet or tcpSocket."
        raise UnsupportedProbeError(message)
    try:
        port = int(action["port"])
    except ValueError:
        raise UnsupportedProbeError(f"The probe's port {action['port']!r} is not a number.") from None
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
    """Run a probe once; return None if it succeeds, else why it failed."""
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
        # Like kubelet: the probe checks whether the service responds, not its certificate.
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
    # The body often says why the service isn't ready, but an HTML page adds nothing to the status.
    html = response.headers.get_content_type() == "text/html"
    quote = "" if html else body[:_QUOTE_LIMIT].decode(errors="replace").strip()
    return f"HTTP probe failed with statuscode: {response.status} {quote}".rstrip()


class Prober(Thread):
    """Runs one probe periodically and reports each change of its state.

    Attributes:
        failure: Why the guest is unhealthy, or None while it is healthy.
    """

    def __init__(
        self, probe: Probe, *, failure: str | None, started: float, on_change: Callable[[str | None], None]
    ) -> None:
        """Prepare to probe.

        Args:
            probe: The probe.
            failure: The state to start from.
            started: When the guest started, in Unix time; the initial delay counts from then.
            on_change: Called with `failure` when it changes.
        """
        super().__init__(name=f"probe-{probe.host}:{probe.port}", daemon=True)
        self.failure = failure
        self._probe = probe
        self._first = started + probe.initial_delay
        self._on_change = on_change
        self._succeeded: bool | None = None
        self._count = 0
        self._stopped = Event()

    def stop(self) -> None:
        """Report nothing from now on; a probe in progress ends by its own timeout."""
        self._stopped.set()

    def run(self) -> None:
        """Probe until stopped."""
        self._stopped.wait(max(self._first - time.time(), 0))
        due = time.monotonic()
        while not self._stopped.is_set():
            failure = check(self._probe)
            if not self._stopped.is_set():
                self.observe(failure)
            # A probe that takes longer than its period is followed by the next one at once, not by several.
            due = max(due + self._probe.period, time.monotonic())
            self._stopped.wait(due - time.monotonic())

    def observe(self, failure: str | None) -> None:
        """Count one result; the state changes after as many equal results in a row as the threshold demands."""
        success, before = failure is None, self.failure
        self._count = self._count + 1 if success == self._succeeded else 1
        self._succeeded = success
        threshold = self._probe.success_threshold if success else self._probe.failure_threshold
        still_failing = before is not None and not success
        if self._count >= threshold or still_failing:
            self.failure = failure
        if self.failure != before:
            self._on_change(self.failure)


class Health:
    """The state of one running guest's readiness and liveness probes.

    Attributes:
        unsupported: Declared probes that the lab can't run; such a readiness probe never succeeds.
    """

    def __init__(
        self, vmi: Object, address: str, *, started: float, was_ready: bool, on_change: Callable[[], None]
    ) -> None:
        """Start probing.

        Args:
            vmi: The VMI.
            address: The guest's address.
            started: When the guest started, in Unix time.
            was_ready: Whether an earlier agent found the guest ready.
            on_change: Called after each change of the state.
        """
        self.unsupported: list[str] = []
        self._name = f"{vmi['metadata']['namespace']}/{vmi['metadata']['name']}"
        self._on_change = on_change
        self._failures: dict[str, str | None] = {}
        self._probers: list[Prober] = []
        not_ready = None if was_ready else "The readiness probe has not succeeded yet."
        for kind, failure in (("readinessProbe", not_ready), ("livenessProbe", None)):
            if kind not in vmi["spec"]:
                continue
            self._failures[kind] = failure
            try:
                probe = read(vmi["spec"][kind], address)
            except UnsupportedProbeError as error:
                self.unsupported.append(f"{kind}: {error}")
                continue
            prober = Prober(probe, failure=failure, started=started, on_change=partial(self._changed, kind))
            self._probers.append(prober)
            prober.start()

    @property
    def why_not_ready(self) -> str | None:
        """Why the guest isn't ready; None if it is, or has no readiness probe."""
        return self._failures.get("readinessProbe")

    @property
    def why_not_alive(self) -> str | None:
        """Why the guest isn't alive; None if it is, or has no liveness probe."""
        return self._failures.get("livenessProbe")

    def stop(self) -> None:
        """Stop probing."""
        for prober in self._probers:
            prober.stop()

    def _changed(self, kind: str, failure: str | None) -> None:
        logger.info("%s: %s %s", self._name, kind, f"fails: {failure}" if failure else "succeeds")
        self._failures[kind] = failure
        self._on_change()
