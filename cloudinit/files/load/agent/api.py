"""The agent's HTTP API, which is read-only: the state of the runs, and their samples."""

import contextlib
import json
import socket
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

from .sample_log import GoneError, SampleLog

JSON, CSV = "application/json", "text/csv"
REQUEST_SECONDS = 60.0  # from one response, or the connect, to the end of the next response
MOST_CONNECTIONS = 100

Exposition = Callable[[], tuple[bytes, str]]  # returns the text and its content type


@dataclass(frozen=True, slots=True)
class Endpoints:
    """What the API's endpoints respond with.

    Attributes:
        samples: The sample log.
        status: Returns what /status reports besides the log's offsets.
        ready: Returns whether there is a plan.
        metrics: Returns the metrics; None if they are off.
    """

    samples: SampleLog
    status: Callable[[], dict[str, Any]]
    ready: Callable[[], bool]
    metrics: Exposition | None


class Server(ThreadingHTTPServer):
    """The HTTP server, on a port of every address."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, endpoints: Endpoints, port: int) -> None:
        if socket.has_dualstack_ipv6():
            self.address_family = socket.AF_INET6
        super().__init__(("", port), _handler(endpoints))
        self._free = threading.BoundedSemaphore(MOST_CONNECTIONS)
        self._lock = threading.Lock()
        self._waiting_since: dict[socket.socket, float] = {}

    def process_request(self, request: Any, client_address: Any) -> None:
        """Serve a connection in a thread of its own; if there are too many, the one that has waited longest ends."""
        if not self._free.acquire(blocking=False):
            with self._lock:
                _end(min(self._waiting_since, key=self._waiting_since.__getitem__, default=request))
            if not self._free.acquire(timeout=1):
                self.shutdown_request(request)
                return
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serve a connection."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            with self._lock:
                self._waiting_since.pop(request, None)
            self._free.release()

    def wait_for_request(self, connection: socket.socket) -> None:
        """Note that a connection's next request may begin now."""
        with self._lock:
            self._waiting_since[connection] = time.monotonic()

    def service_actions(self) -> None:
        """End the connections whose request has not been served in time; the server does this twice a second."""
        limit = time.monotonic() - REQUEST_SECONDS
        with self._lock:
            for connection, since in self._waiting_since.items():
                if since < limit:
                    _end(connection)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Report an error, unless it is a client that has gone."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)

    def server_bind(self) -> None:
        """Bind the port for IPv4 and IPv6, without the name lookup that the standard library would do."""
        if self.address_family == socket.AF_INET6:
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = "load", self.server_address[1]


def _end(connection: socket.socket) -> None:
    """Make the thread that reads from a connection or writes to it see its end."""
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


def _handler(of: Endpoints) -> type["_Handler"]:
    class Handler(_Handler):
        endpoints = of

    return Handler


class _Handler(BaseHTTPRequestHandler):
    endpoints: ClassVar[Endpoints]
    server: Server
    protocol_version = "HTTP/1.1"
    default_request_version = "HTTP/1.1"  # responses to what is no HTTP have a status line too
    wbufsize = -1  # headers and body in one packet, or the body would wait for the headers' acknowledgement

    def handle_one_request(self) -> None:
        self.server.wait_for_request(self.connection)
        super().handle_one_request()

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        match url.path:
            case "/ready":
                self._ready()
            case "/status":
                self._status()
            case "/samples":
                self._samples(parse_qs(url.query, keep_blank_values=True))
            case "/metrics":
                self._metrics()
            case _:
                self._refuse(
                    HTTPStatus.NOT_FOUND, "the endpoints are /ready, /status, /samples?from=<byte offset> and /metrics"
                )

    def _ready(self) -> None:
        if self.endpoints.ready():
            self._respond(HTTPStatus.OK, {"status": "ready"})
        else:
            self._refuse(HTTPStatus.SERVICE_UNAVAILABLE, "there is no load plan yet")

    def _status(self) -> None:
        samples = {"first": self.endpoints.samples.first, "next": self.endpoints.samples.next}
        self._respond(HTTPStatus.OK, {**self.endpoints.status(), "samples": samples})

    def _samples(self, query: dict[str, list[str]]) -> None:
        offset = query.get("from", [""])[-1]
        if not (offset.isascii() and offset.isdigit() and len(offset) < 20):
            self._refuse(HTTPStatus.BAD_REQUEST, "from must be a byte offset: an integer, 0 or more")
            return
        try:
            self._send(HTTPStatus.OK, self.endpoints.samples.read(int(offset)), CSV)
        except GoneError:
            first = self.endpoints.samples.first
            self._respond(HTTPStatus.GONE, {"error": f"samples before {first} are no longer kept", "first": first})
        except ValueError as error:
            self._refuse(HTTPStatus.BAD_REQUEST, str(error))

    def _metrics(self) -> None:
        if self.endpoints.metrics is None:
            self._refuse(HTTPStatus.NOT_FOUND, "metrics are off: set metrics.enabled in the stack's configuration")
        else:
            text, kind = self.endpoints.metrics()
            self._send(HTTPStatus.OK, text, kind)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Refuse what the standard library can't serve."""
        self.close_connection = True  # a body may follow
        status = HTTPStatus(code)
        if status is HTTPStatus.NOT_IMPLEMENTED:
            self._refuse(HTTPStatus.METHOD_NOT_ALLOWED, "the only method is GET")
        else:
            self._refuse(status, message or explain or status.description)

    def _refuse(self, status: HTTPStatus, error: str) -> None:
        self._respond(status, {"error": error})

    def _respond(self, status: HTTPStatus, document: dict[str, Any]) -> None:
        self._send(status, json.dumps(document).encode() + b"\n", JSON)

    def _send(self, status: HTTPStatus, body: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Log nothing: the API is polled every second."""
