"""The application as uvicorn calls it: finds each request's endpoint, and measures and reports the request."""

import logging
import os
import re
import socket
import time
import traceback
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .clocks import APP, Clocks, clocks_class
from .constants import DRAINING
from .responses import Refusal, Response

if TYPE_CHECKING:
    from .metrics import Metrics
    from .tracing import Tracing

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

# W3C Trace Context: version, trace id, the caller's span id, flags. An id of zeros is invalid.
TRACEPARENT = re.compile(rb"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})")

# The methods of RFC 9110 and RFC 5789; any other would give clients a way to create labels.
METHODS = {"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"}
OTHER_METHOD = "_OTHER"

new_clocks = clocks_class(os.environ.get("ATTRIBUTION", "on"))
attribution = new_clocks is Clocks

# Requests in progress: as many as a second's standstill piles up at a high rate. More would only wait, and hold memory.
MOST_REQUESTS = 1000

DRAINING_SECONDS = 0.25  # between looks at the file, which would take longer than the rest of a response
SERVED_BY = (b"x-served-by", socket.gethostname().encode())
JSON = (b"content-type", b"application/json")

log = logging.getLogger("uvicorn.error")


class Request:
    """One request, and its measurement.

    Attributes:
        scope: Its ASGI scope.
        receive: Returns the next part of its body.
        argument: The last part of its path, if its route has one.
        route: The path template that it matched, or an empty string.
        trace: Its traceparent, if it has a valid one.
        traced: Whether its spans are reported.
        clocks: Its clocks.
    """

    __slots__ = ("argument", "clocks", "receive", "route", "scope", "trace", "traced")

    def __init__(self, scope: Message, receive: Receive, *, tracing: bool) -> None:
        self.scope = scope
        self.receive = receive
        self.argument = self.route = ""
        value = self.header(b"traceparent")
        self.trace = TRACEPARENT.fullmatch(value) if value else None
        self.traced = bool(tracing and self.trace and int(self.trace[3], 16) & 1)
        self.clocks = new_clocks()
        self.clocks.start(APP)

    @property
    def method(self) -> str:
        """The method."""
        return str(self.scope["method"])

    def header(self, wanted: bytes) -> bytes:
        """Return a header's first value, by its name in lower case; empty if there is none."""
        for name, value in self.scope["headers"]:
            if name == wanted:
                return bytes(value)
        return b""


Endpoint = Callable[[Request], Awaitable[Response]]
Failure = Callable[[Request, Any], Response]


@dataclass(frozen=True, slots=True)
class Route:
    """What serves a path.

    Attributes:
        path: The path; its last part may be a `{name}`, which matches anything.
        endpoint: Serves a request.
        methods: The methods that it serves.
        probe: Whether it is served however busy the application is: that's no reason to take it out of its Service.
    """

    path: str
    endpoint: Endpoint
    methods: tuple[str, ...] = ("GET", "HEAD")
    probe: bool = False


class Application:
    """An ASGI application: 503 if too many requests are in progress, 500 if an endpoint raises what it should not.

    Args:
        routes: What it serves.
        failures: Responses to exceptions of the endpoints, by their class.
        start: Called before the first request.
        stop: Called after the last one.
    """

    def __init__(
        self,
        routes: Iterable[Route],
        failures: dict[type[Exception], Failure],
        start: Callable[[], Awaitable[None]],
        stop: Callable[[], Awaitable[None]],
    ) -> None:
        self.metrics: Metrics | None = None
        self.tracing: Tracing | None = None
        self._routes = {re.sub(r"\{.*", "", route.path): route for route in routes}
        self._failures = failures
        self._start = start
        self._stop = stop
        self._in_progress = 0
        self._draining = False
        self._looked = 0.0

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Serve one request, or the application's lifespan."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close"})
        else:
            await self._serve(Request(scope, receive, tracing=self.tracing is not None), send)

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        try:
            await self._start()
        except Exception:
            await send({"type": "lifespan.startup.failed", "message": traceback.format_exc()})
            raise
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self._stop()
        await send({"type": "lifespan.shutdown.complete"})

    async def _serve(self, request: Request, send: Send) -> None:
        self._in_progress += 1
        try:
            response = await self._response(request)
            request.clocks.end(APP)
            headers = self._headers(request, response)
            try:
                await send({"type": "http.response.start", "status": response.status, "headers": headers})
                await send({"type": "http.response.body", "body": response.body})
            except Exception as error:  # only its client can have failed it
                log.warning("response not sent: %s", error)
        finally:
            self._in_progress -= 1
        if self.metrics or request.traced:
            self._report(request, response.status)

    async def _response(self, request: Request) -> Response:
        try:
            return await self._route(request).endpoint(request)
        except Refusal as refusal:
            return refusal.response
        except Exception as error:
            if failure := self._failures.get(type(error)):
                return failure(request, error)
            log.exception("request failed")
            return Response({"error": "internal error"}, 500)

    def _route(self, request: Request) -> Route:
        """Return what serves a request.

        Raises:
            Refusal: 404, 405 or 503.
        """
        path = request.scope["path"]
        route = self._routes.get(path)
        if route is None or route.path != path:
            parent, _, request.argument = path.rpartition("/")
            route = self._routes.get(f"{parent}/") if request.argument else None
        if self._in_progress > MOST_REQUESTS and not (route and route.probe):
            raise Refusal(503, "too many requests are in progress", {"Retry-After": "1"})
        if route is None:
            raise Refusal(404, "Not Found")
        request.route = route.path
        if request.scope["method"] not in route.methods:
            raise Refusal(405, "Method Not Allowed", {"Allow": ", ".join(route.methods)})
        return route

    def _headers(self, request: Request, response: Response) -> list[tuple[bytes, bytes]]:
        headers = [*response.headers, (b"content-length", b"%d" % len(response.body)), JSON, SERVED_BY]
        if timing := request.clocks.server_timing():
            headers.append((b"server-timing", timing.encode()))
        if request.trace:
            headers.append((b"traceparent", request.trace[0]))
        if request.traced:
            # The web tier's clock is coarse: this lets its span enclose ours.
            seconds, rest = divmod(request.clocks.unix_nanoseconds(request.clocks.intervals[APP][0]), 10**9)
            headers.append((b"x-application-start", b"t=%d.%06d" % (seconds, rest // 1000)))
        now = time.monotonic()
        if now - self._looked > DRAINING_SECONDS:
            self._looked, self._draining = now, os.path.exists(DRAINING)  # noqa: PTH110, a Path takes longer
        if self._draining:
            headers.append((b"connection", b"close"))
        return headers

    def _report(self, request: Request, status: int) -> None:
        method = request.method if request.method in METHODS else OTHER_METHOD
        clocks = request.clocks
        if self.metrics:
            self.metrics.observe(method, request.route, status, clocks)
        if self.tracing and request.traced and request.trace:
            if status >= 500:
                clocks.failures[APP] = str(status)
            self.tracing.report(request.scope, method, request.route, status, clocks, request.trace)
