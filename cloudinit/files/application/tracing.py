"""The application's spans: one for the request, and child spans for its database query."""

import os
import random
import re

from .asgi import Message
from .clocks import ACQUIRE, APP, CONNECT, QUERY, Clocks
from .constants import DATABASE_NAME
from .otlp import Exporter, Kind

Attributes = dict[str, str | int | float | bool]


class Tracing:
    """Reports the spans of sampled requests.

    Args:
        endpoint: Base URL of the OpenTelemetry collector.
        service_name: The spans' service.name.
    """

    def __init__(self, endpoint: str, service_name: str) -> None:
        self._exporter = Exporter(endpoint, service_name)
        self._database: Attributes = {
            "db.system.name": "postgresql",
            "db.namespace": DATABASE_NAME,
            "server.address": os.environ["DATABASE_HOST"],
            "server.port": int(os.environ["DATABASE_PORT"]),
        }

    def close(self) -> None:
        """Send the queued spans."""
        self._exporter.close()

    def report(
        self, scope: Message, method: str, route: str, status: int, clocks: Clocks, trace: re.Match[bytes]
    ) -> None:
        """Report one request that has been served.

        Args:
            scope: The request.
            method: Its method, or _OTHER.
            route: The path template that it matched, or an empty string.
            status: The response's status.
            clocks: The request's clocks.
            trace: The request's traceparent.
        """
        spans = _Spans(self._exporter, clocks, trace[1].decode())
        name = f"{method} {route}".strip()
        request = spans.add(
            APP, name, Kind.SERVER, trace[2].decode(), _request_attributes(scope, method, route, status)
        )
        acquire = spans.add(ACQUIRE, "acquire connection", Kind.INTERNAL, request, {})
        spans.add(CONNECT, "connect", Kind.CLIENT, acquire, self._database)
        if clocks.statement:
            statement = clocks.statement
            about = self._database | {"db.operation.name": statement.operation, "db.query.text": statement.text}
            if statement.table:
                about["db.collection.name"] = statement.table
            spans.add(QUERY, f"{statement.operation} {statement.table}".strip(), Kind.CLIENT, request, about)


class _Spans:
    """The spans of one request."""

    def __init__(self, exporter: Exporter, clocks: Clocks, trace_id: str) -> None:
        self._exporter = exporter
        self._clocks = clocks
        self._trace_id = trace_id

    def add(self, part: str, name: str, kind: Kind, parent_id: str, attributes: Attributes) -> str:
        """Report a part, if it happened, and return its span id."""
        interval = self._clocks.intervals.get(part)
        if interval is None:
            return ""
        failure = self._clocks.failures.get(part)
        span_id = f"{random.getrandbits(64) or 1:016x}"
        self._exporter.span(
            name=name,
            trace_id=self._trace_id,
            span_id=span_id,
            parent_id=parent_id,
            kind=kind,
            start=self._clocks.unix_nanoseconds(interval[0]) / 1e9,
            end=self._clocks.unix_nanoseconds(interval[1]) / 1e9,
            attributes=attributes | {"error.type": failure} if failure else attributes,
            error=bool(failure),
        )
        return span_id


def _request_attributes(scope: Message, method: str, route: str, status: int) -> Attributes:
    """Return the attributes of OpenTelemetry's conventions for HTTP servers."""
    attributes: Attributes = {
        "http.request.method": method,
        "http.response.status_code": status,
        "url.scheme": scope["scheme"],
        "url.path": scope["raw_path"].decode("ascii"),
    }
    if scope["query_string"]:
        attributes["url.query"] = scope["query_string"].decode("ascii", "replace")
    if route:
        attributes["http.route"] = route
    return attributes
