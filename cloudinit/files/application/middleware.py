"""The outermost layer of the application: measures each request, and reports it to metrics and tracing."""

import logging
import os
import re
from typing import TYPE_CHECKING

from starlette.types import ASGIApp, Receive, Scope, Send  # type: ignore[import-not-found,unused-ignore]

from .clocks import APP, Clocks, clocks_class
from .responses import Response

if TYPE_CHECKING:
    from .metrics import Metrics
    from .tracing import Tracing

# W3C Trace Context: version, trace id, the caller's span id, flags. An id of zeros is invalid.
TRACEPARENT = re.compile(rb"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})")

# The methods of RFC 9110 and RFC 5789; any other would give clients a way to create labels.
METHODS = {"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"}
OTHER_METHOD = "_OTHER"

new_clocks = clocks_class(os.environ.get("ATTRIBUTION", "on"))
attribution = new_clocks is Clocks

# Requests in progress: as many as a second's standstill piles up at a high rate. More would only wait, and hold memory.
MOST_REQUESTS = 1000
TOO_MANY = {"error": "too many requests are in progress"}
PROBES = {"/health", "/ready"}  # a full queue is no reason to take the machine out of its Service

log = logging.getLogger("uvicorn.error")


class Measurement:
    """The measurement of one request.

    Args:
        trace: The request's traceparent, if it has a valid one.
        traced: Whether its spans are reported.

    Attributes:
        status: The response's status; 0 until there is one.
    """

    __slots__ = ("clocks", "status", "trace", "traced")

    def __init__(self, trace: re.Match[bytes] | None, *, traced: bool) -> None:
        self.trace = trace
        self.traced = traced
        self.status = 0
        self.clocks = new_clocks()
        self.clocks.start(APP)

    def headers(self, status: int) -> list[tuple[bytes, bytes]]:
        """Stop the clock, and return the headers that report the measurement."""
        self.status = status
        self.clocks.end(APP)
        headers = []
        if timing := self.clocks.server_timing():
            headers.append((b"server-timing", timing.encode()))
        if self.trace:
            headers.append((b"traceparent", self.trace[0]))
        if self.traced:
            # The web tier's clock is coarse: this lets its span enclose ours.
            seconds, rest = divmod(self.clocks.unix_nanoseconds(self.clocks.intervals[APP][0]), 10**9)
            headers.append((b"x-application-start", b"t=%d.%06d" % (seconds, rest // 1000)))
        return headers


class MeasurementMiddleware:
    """Measures every request; responds with 503 if too many are in progress, and with 500 if the application raises.

    Args:
        app: The application.
        routes: The path template of each endpoint.
    """

    def __init__(self, app: ASGIApp, routes: dict[object, str]) -> None:
        self.app = app
        self.routes = routes
        self.metrics: Metrics | None = None
        self.tracing: Tracing | None = None
        self._in_progress = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or pass the lifespan protocol on."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        trace = _trace(scope)
        traced = bool(self.tracing and trace and int(trace[3], 16) & 1)
        measurement = scope["measurement"] = Measurement(trace, traced=traced)
        if self._in_progress >= MOST_REQUESTS and scope["path"] not in PROBES:
            await Response(TOO_MANY, status_code=503, headers={"Retry-After": "1"})(scope, receive, send)
        else:
            await self._serve(scope, receive, send)
        if self.metrics or traced:
            self._report(scope, measurement)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._in_progress += 1
        try:
            await self.app(scope, receive, send)
        except Exception as error:
            if scope["measurement"].status:  # the response was made: only its client can have failed it
                log.warning("response not sent: %s", error)
            else:
                log.exception("request failed")
                await Response({"error": "internal error"}, status_code=500)(scope, receive, send)
        finally:
            self._in_progress -= 1

    def _report(self, scope: Scope, measurement: Measurement) -> None:
        method = scope["method"] if scope["method"] in METHODS else OTHER_METHOD
        route = self.routes.get(scope.get("endpoint"), "")
        status, clocks = measurement.status, measurement.clocks
        if self.metrics:
            self.metrics.observe(method, route, status, clocks)
        if self.tracing and measurement.traced and measurement.trace:
            if status >= 500:
                clocks.failures[APP] = str(status)
            self.tracing.report(scope, method, route, status, clocks, measurement.trace)


def _trace(scope: Scope) -> re.Match[bytes] | None:
    """Return the request's traceparent if it has a valid one."""
    for name, value in scope["headers"]:
        if name == b"traceparent":
            return TRACEPARENT.fullmatch(value)
    return None
