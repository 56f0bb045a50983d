"""The settings of metrics and traces."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import Field

from components.settings.model import Contradiction, Model
from components.settings.values import Flag, Share, Url


class Metrics(Model):
    """Metrics for Prometheus."""

    enabled: Flag = Field(default=False, description="Whether guests run exporters and Services have metrics ports.")
    service_monitors: Flag = Field(
        default=False, description="Whether the Prometheus operator is told of them by ServiceMonitor objects."
    )

    def contradictions(self) -> Iterator[Contradiction]:
        """Yield what doesn't go together in the metrics."""
        if self.service_monitors and not self.enabled:
            problem = "needs metrics.enabled: there would be nothing to scrape"
            yield Contradiction(("metrics.serviceMonitors", "metrics.enabled"), problem)


class Tracing(Model):
    """OpenTelemetry traces."""

    endpoint: Url | None = Field(
        default=None, description="OTLP/HTTP collector that guests send spans to; none: no tracing."
    )
    sampling: Share = Field(default=0.1, description="Share of the load's requests that are traced.")

    def contradictions(self) -> Iterator[Contradiction]:
        """Yield what doesn't go together in the tracing."""
        if self.endpoint is None and "sampling" in self.model_fields_set:
            problem = "needs tracing.endpoint: there would be nowhere to send traces"
            yield Contradiction(("tracing.sampling", "tracing.endpoint"), problem)
