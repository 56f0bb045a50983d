"""Whether a guest is ready and alive, by the probes that its VMI declares."""

from __future__ import annotations

from collections.abc import Callable

from kube.resources import Object
from lab.node import probes
from lab.node.log import log
from lab.node.probes import Prober, UnsupportedProbeError


class Health:
    """The state of one running guest's probes.

    Attributes:
        why_not_ready: None when the guest is ready, or declares no readiness probe.
        why_not_alive: None as long as the guest is alive, or declares no liveness probe.
        unsupported: what was declared and can't be run; such a readiness probe never succeeds.
    """

    def __init__(
        self, vmi: Object, address: str, *, started: float, was_ready: bool, on_change: Callable[[], None]
    ) -> None:
        """Start probing.

        Args:
            vmi: the VMI as declared.
            address: the guest's.
            started: when it started, by `time.time()`.
            was_ready: the state to go on from, of a guest that a former agent started.
            on_change: called after each change of the attributes.
        """
        self.why_not_ready: str | None = None
        self.why_not_alive: str | None = None
        self.unsupported: list[str] = []
        self._on_change = on_change
        self._probers: list[Prober] = []
        spec = vmi["spec"]
        self._name = f"{vmi['metadata']['namespace']}/{vmi['metadata']['name']}"
        if "readinessProbe" in spec:
            if not was_ready:
                self.why_not_ready = "The readiness probe has not succeeded yet."
            self._add("readiness", spec["readinessProbe"], address, started, was_ready, self._set_ready)
        if "livenessProbe" in spec:
            self._add("liveness", spec["livenessProbe"], address, started, True, self._set_alive)

    def _add(
        self,
        kind: str,
        declared: Object,
        address: str,
        started: float,
        healthy: bool,
        on_change: Callable[[bool, str], None],
    ) -> None:
        try:
            probe = probes.read(declared, address)
        except UnsupportedProbeError as error:
            self.unsupported.append(f"{kind}Probe: {error}")
            return
        prober = Prober(f"{kind}-{address}", probe, initial=healthy, started=started, on_change=on_change)
        self._probers.append(prober)
        prober.start()

    def _set_ready(self, healthy: bool, why: str) -> None:
        log(f"{self._name}: {'ready' if healthy else f'not ready: {why}'}")
        self.why_not_ready = None if healthy else why
        self._on_change()

    def _set_alive(self, healthy: bool, why: str) -> None:
        log(f"{self._name}: {'alive' if healthy else f'not alive: {why}'}")
        self.why_not_alive = None if healthy else why
        self._on_change()

    def stop(self) -> None:
        """Probe no more."""
        for prober in self._probers:
            prober.stop()
