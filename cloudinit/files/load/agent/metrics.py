"""The samples as Prometheus metrics, with the distribution's client library."""

from collections.abc import Callable, Sequence

from prometheus_client import (  # type: ignore[import-not-found,unused-ignore]
    CONTENT_TYPE_LATEST,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)

from .sample import parse

BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)  # seconds
PARTS = ("total", "generator", "wait", "web", "application", "database")


class Metrics:
    """Counts requests and times their parts.

    Args:
        scheduled_rate: Returns the arrivals per second that the current plan schedules now.
    """

    def __init__(self, scheduled_rate: Callable[[], float]) -> None:
        rate = Gauge("multi_tier_load_asked_rate", "Requests per second that the current plan schedules.")
        rate.set_function(scheduled_rate)
        self._requests = Counter(
            "multi_tier_load_requests_total", "Requests sent, by outcome.", ("kind", "status", "good")
        )
        durations = Histogram(
            "multi_tier_load_duration_seconds", "Time of each part of a request.", ("part",), buckets=BUCKETS
        )
        self._durations = [durations.labels(part) for part in PARTS]

    def take(self, lines: Sequence[bytes]) -> None:
        """Count samples."""
        for line in lines:
            sample = parse(line)
            self._requests.labels(sample.kind, str(sample.status), str(int(sample.good))).inc()
            responded = sample.app is not None
            parts = (
                sample.total,
                sample.generator,
                sample.wait,
                sample.web,
                sample.application,
                sample.db if responded else None,
            )
            for duration, milliseconds in zip(self._durations, parts, strict=True):
                if milliseconds is not None:
                    duration.observe(milliseconds / 1000)

    def exposition(self) -> tuple[bytes, str]:
        """Return Prometheus' exposition, and its content type."""
        return generate_latest(), CONTENT_TYPE_LATEST
