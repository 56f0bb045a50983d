"""Settings of metrics and traces."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from pydantic import Field

from components.settings.model import Contradiction, Model
from components.settings.values import HOST, REACHABLE, Share, allowing, pattern

# Credentials aren't accepted: the endpoint is not a secret in the guests' configuration.
Endpoint = Annotated[
    str,
    pattern(rf"https?://{HOST}(/[A-Za-z0-9._~/-]*)?"),
    REACHABLE,
    allowing('a URL such as "http://collector.observability.svc.cluster.local:4318"'),
]


class MetricsSettings(Model):
    """Metrics for Prometheus."""

    enabled: bool = Field(
        default=False, description="Whether the guests run exporters and the Services have metrics ports."
    )
    service_monitors: bool = Field(
        default=False, description="Whether to create a ServiceMonitor for the Prometheus operator."
    )

    def contradictions(self) -> Iterator[Contradiction]:
        """Yield ServiceMonitors without metrics."""
        if self.service_monitors and not self.enabled:
            yield Contradiction("serviceMonitors", "needs metrics.enabled: there is nothing to scrape without it")


class TracingSettings(Model):
    """OpenTelemetry traces."""

    endpoint: Endpoint | None = Field(
        default=None, description="OTLP/HTTP collector that the guests send spans to. Defaults to no tracing."
    )
    sampling: Share = Field(default=0.1, description="Share of the load's requests to trace.")

    def contradictions(self) -> Iterator[Contradiction]:
        """Yield a sampling rate without tracing."""
        if self.endpoint is None and "sampling" in self.model_fields_set:
            yield Contradiction("sampling", "needs tracing.endpoint: traces have nowhere to go without it")
