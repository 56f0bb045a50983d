"""The sampled requests as OpenTelemetry spans of the client."""

from collections.abc import Sequence

from .otlp import Exporter, Kind
from .run import Run
from .sample import Sample, parse

_NAMES = {
    "slow": ("GET", "/api/v1/branches/{bid}"),
    "write": ("POST", "/api/v1/accounts/{aid}"),
}
_USUAL = ("GET", "/api/v1/accounts/{aid}")


class Spans:
    """Sends a span for each request whose trace is sampled.

    Args:
        endpoint: Base URL of an OTLP/HTTP collector.
        service_name: What the spans are said to be of.
    """

    def __init__(self, endpoint: str, service_name: str) -> None:
        self._exporter = Exporter(endpoint, service_name)

    def close(self) -> None:
        """Send what is waiting."""
        self._exporter.close()

    def take(self, run: Run, started: float, lines: Sequence[bytes]) -> None:
        """Send the spans of a run's samples; started is the Unix time of the run's begin."""
        for line in lines:
            trace = line[-16:]
            if int(trace[:8], 16) / 2**32 < run.plan.sampled:
                self._send(run, started, parse(line))

    def _send(self, run: Run, started: float, sample: Sample) -> None:
        method, route = _NAMES.get(sample.kind, _USUAL)
        begin = started + sample.sent / 1000
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
            start=begin,
            end=begin + sample.client / 1000,
            attributes=attributes,
            error=not sample.good,
        )
