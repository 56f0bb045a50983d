"""The application's metrics for Prometheus, on a port of their own."""

import socket

from prometheus_client import Histogram, start_http_server

from .clocks import ACQUIRE, APP, CONNECT, QUERY, Clocks

BUCKETS = (
    *(0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05),
    *(0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0),
)  # seconds


class Metrics:
    """Histograms of requests and of the parts of their database queries.

    Args:
        port: Port of the metrics endpoint.
    """

    def __init__(self, port: int) -> None:
        self._requests = Histogram(
            "multi_tier_request_duration_seconds",
            "Time from a request's arrival in the application to the start of its response.",
            ["method", "route", "status"],
            buckets=BUCKETS,
        )
        self._by_labels: dict[tuple[str, str, int], Histogram] = {}
        database = Histogram(
            "multi_tier_database_duration_seconds",
            "Time of one part of a database query: wait for a pooled connection, connect, query.",
            ["part"],
            buckets=BUCKETS,
        )
        self._pool, self._connect, self._query = (database.labels(part) for part in ("pool", "connect", "query"))
        start_http_server(port, addr="::" if socket.has_dualstack_ipv6() else "0.0.0.0")  # noqa: S104 every address

    def observe(self, method: str, route: str, status: int, clocks: Clocks) -> None:
        """Record one request."""
        labels = (method, route, status)
        requests = self._by_labels.get(labels)
        if requests is None:
            requests = self._by_labels[labels] = self._requests.labels(*labels)
        requests.observe(clocks.nanoseconds(APP) / 1e9)
        if ACQUIRE in clocks.intervals:
            self._pool.observe((clocks.nanoseconds(ACQUIRE) - clocks.nanoseconds(CONNECT)) / 1e9)
        if CONNECT in clocks.intervals:
            self._connect.observe(clocks.nanoseconds(CONNECT) / 1e9)
        if QUERY in clocks.intervals:
            self._query.observe(clocks.nanoseconds(QUERY) / 1e9)
