"""The outermost layer of the application: clocks each request, and tells whoever wants to know."""

import logging
import re
import socket
from typing import TYPE_CHECKING

from starlette.responses import JSONResponse  # type: ignore[import-not-found,unused-ignore]
from starlette.types import ASGIApp, Message, Receive, Scope, Send  # type: ignore[import-not-found,unused-ignore]

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


class Measured:
    """Clocks the whole request, names the server, and answers 500 where all else failed.

    Args:
        app: What answers.
        routes: The path template of each endpoint.
    """

    def __init__(self, app: ASGIApp, routes: dict[object, str]) -> None:
        self.app = app
        self.routes = routes
        self.metrics: Metrics | None = None
        self.tracing: Tracing | None = None
        self.served_by = socket.gethostname().encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request (or pass on the lifespan protocol)."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        clocks = scope["clocks"] = Clocks()
        clocks.begin(APP)
        trace = TRACEPARENT.fullmatch(dict(scope["headers"]).get(b"traceparent", b""))
        status = 0

        async def send_measured(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                clocks.end(APP)
                status = message["status"]
                message["headers"] = [*message.get("headers", []), *self._headers(clocks, trace)]
            await send(message)

        try:
            await self.app(scope, receive, send_measured)
        except Exception:
            log.exception("request failed")
            if not status:
                await JSONResponse({"error": "internal error"}, status_code=500)(scope, receive, send_measured)
        if self.metrics or self.tracing:
            self._report(scope, clocks, trace, status)

    def _headers(self, clocks: Clocks, trace: re.Match[bytes] | None) -> list[tuple[bytes, bytes]]:
        measured = ", ".join(f"{part};dur={duration:.3f}" for part, duration in clocks.server_timing().items())
        headers = [(b"server-timing", measured.encode()), (b"x-served-by", self.served_by)]
        if trace:
            headers.append((b"traceparent", trace[0]))
            if self.tracing and _sampled(trace):
                # The web tier's clock is coarse: with this, its span can hold ours.
                seconds, rest = divmod(clocks.unix_nanoseconds(clocks.intervals[APP][0]), 10**9)
                headers.append((b"x-application-start", b"t=%d.%06d" % (seconds, rest // 1000)))
        return headers

    def _report(self, scope: Scope, clocks: Clocks, trace: re.Match[bytes] | None, status: int) -> None:
        method = scope["method"] if scope["method"] in METHODS else OTHER_METHOD
        route = self.routes.get(scope.get("endpoint"), "")
        if self.metrics:
            self.metrics.observe(method, route, status, clocks)
        if self.tracing and trace and _sampled(trace):
            if status >= 500:
                clocks.failures[APP] = str(status)
            self.tracing.report(scope, method, route, status, clocks, trace)


def _sampled(trace: re.Match[bytes]) -> bool:
    return bool(int(trace[3], 16) & 1)
