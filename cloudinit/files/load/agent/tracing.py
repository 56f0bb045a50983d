"""OpenTelemetry client spans of the sampled requests."""

from collections.abc import Sequence

from .otlp import Exporter, Kind
from .run import Run
from .sample import Sample, parse

_OPERATIONS = {
    "slow": ("GET", "/api/v1/branches/{bid}"),
    "write": ("POST", "/api/v1/accounts/{aid}"),
}
_DEFAULT_OPERATION = ("GET", "/api/v1/accounts/{aid}")


class Spans:
    """Exports a span for each request whose trace is sampled.

    Args:
        endpoint: Base URL of an OTLP/HTTP collector.
        service_name: The spans' service.name.
    """

    def __init__(self, endpoint: str, service_name: str) -> None:
        self._exporter = Exporter(endpoint, service_name)

    def close(self) -> None:
        """Send the queued spans."""
        self._exporter.close()

    def take(self, run: Run, started: float, lines: Sequence[bytes]) -> None:
        """Export the spans of a run's samples; `started` is the Unix time of the run's start."""
        for line in lines:
            trace = line[-16:]
            if int(trace[:8], 16) / 2**32 < run.plan.sampled:
                self._send(run, started, parse(line))

    def _send(self, run: Run, started: float, sample: Sample) -> None:
        method, route = _OPERATIONS.get(sample.kind, _DEFAULT_OPERATION)
        start = started + sample.sent / 1000
        attributes: dict[str, str | int | float | bool] = {
            "http.request.method": method,
            "url.template": route,
            "multi_tier.kind": sample.kind,
            "multi_tier.wait_ms": sample.wait,
            "multi_tier.client_connect_ms": sample.client_connect,
        }
        if run.once:
            attributes["multi_tier.run"] = run.plan.run
        if sample.status:
            attributes["http.response.status_code"] = sample.status
        if sample.error:
            attributes["error.type"] = str(sample.error)
        self._exporter.span(
            name=f"{method} {route}",
            trace_id=run.trace + sample.trace,
            span_id=sample.trace,
            parent_id="",
            kind=Kind.CLIENT,
            start=start,
            end=start + sample.client / 1000,
            attributes=attributes,
            error=not sample.good,
        )
