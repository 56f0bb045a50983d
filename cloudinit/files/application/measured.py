"""The outermost layer of the application: clocks each request, and tells whoever wants to know."""

import logging
import re
from typing import TYPE_CHECKING

from starlette.types import ASGIApp, Receive, Scope, Send  # type: ignore[import-not-found,unused-ignore]

from .answers import Answer
from .clocks import APP, Clocks

if TYPE_CHECKING:
    from .metrics import Metrics
    from .tracing import Tracing

# W3C Trace Context: version, trace id, span id of the caller, flags. Ids of zeros are none.
TRACEPARENT = re.compile(rb"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})")

# The methods of RFC 9110 and RFC 5789: what else a client may make up must not become a label of its own.
METHODS = {"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"}
OTHER_METHOD = "_OTHER"

log = logging.getLogger("uvicorn.error")


class Measurement:
    """What is measured of one request.

    Args:
        trace: The traceparent that it came with, if that is one.
        traced: Whether its spans are wanted.

    Attributes:
        status: The answer's status, 0 before there is one.
    """

    __slots__ = ("clocks", "status", "trace", "traced")

    def __init__(self, trace: re.Match[bytes] | None, *, traced: bool) -> None:
        self.trace = trace
        self.traced = traced
        self.status = 0
        self.clocks = Clocks()
        self.clocks.begin(APP)

    def headers(self, status: int) -> list[tuple[bytes, bytes]]:
        """Stop the clock, and say in headers what it tells."""
        self.status = status
        self.clocks.end(APP)
        headers = []
        if timing := self.clocks.server_timing():
            headers.append((b"server-timing", timing.encode()))
        if self.trace:
            headers.append((b"traceparent", self.trace[0]))
        if self.traced:
            # The web tier's clock is coarse: with this, its span can hold ours.
            seconds, rest = divmod(self.clocks.unix_nanoseconds(self.clocks.intervals[APP][0]), 10**9)
            headers.append((b"x-application-start", b"t=%d.%06d" % (seconds, rest // 1000)))
        return headers


class Measured:
    """Clocks the whole request, and answers 500 where all else failed.

    Args:
        app: What answers.
        routes: The path template of each endpoint.
    """

    def __init__(self, app: ASGIApp, routes: dict[object, str]) -> None:
        self.app = app
        self.routes = routes
        self.metrics: Metrics | None = None
        self.tracing: Tracing | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request (or pass on the lifespan protocol)."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        trace = _trace(scope)
        traced = bool(self.tracing and trace and int(trace[3], 16) & 1)
        measured = scope["measured"] = Measurement(trace, traced=traced)
        try:
            await self.app(scope, receive, send)
        except Exception:
            log.exception("request failed")
            if not measured.status:
                await Answer({"error": "internal error"}, status_code=500)(scope, receive, send)
        if self.metrics or traced:
            self._report(scope, measured)

    def _report(self, scope: Scope, measured: Measurement) -> None:
        method = scope["method"] if scope["method"] in METHODS else OTHER_METHOD
        route = self.routes.get(scope.get("endpoint"), "")
        status, clocks = measured.status, measured.clocks
        if self.metrics:
            self.metrics.observe(method, route, status, clocks)
        if self.tracing and measured.traced and measured.trace:
            if status >= 500:
                clocks.failures[APP] = str(status)
            self.tracing.report(scope, method, route, status, clocks, measured.trace)


def _trace(scope: Scope) -> re.Match[bytes] | None:
    """The traceparent of a request, if it has one."""
    for name, value in scope["headers"]:
        if name == b"traceparent":
            return TRACEPARENT.fullmatch(value)
    return None
