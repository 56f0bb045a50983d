"""The agent's HTTP interface: how far the runs are, and their samples. To read only."""

import json
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

from .sample_log import GoneError, SampleLog

JSON, CSV = "application/json", "text/csv"
IDLE = 60  # seconds after which a silent connection is closed

Exposition = Callable[[], tuple[bytes, str]]
"""Gives Prometheus' text and its content type."""


@dataclass(frozen=True, slots=True)
class Board:
    """What the interface shows.

    Attributes:
        samples: The samples' log.
        status: Gives what else /status tells, besides the time and the samples.
        ready: Whether there is a plan.
        metrics: Gives the metrics; None where they are off.
    """

    samples: SampleLog
    status: Callable[[], dict[str, Any]]
    ready: Callable[[], bool]
    metrics: Exposition | None


class Server(ThreadingHTTPServer):
    """Serves a board on a port of every address."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, board: Board, port: int) -> None:
        if socket.has_dualstack_ipv6():
            self.address_family = socket.AF_INET6
        super().__init__(("", port), _handler(board))

    def server_bind(self) -> None:
        """Take the port, for IPv4 too; and ask no resolver for this machine's name, as the library's own does."""
        if self.address_family == socket.AF_INET6:
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = "load", self.server_address[1]


def _handler(of: Board) -> type["_Handler"]:
    class Handler(_Handler):
        board = of

    return Handler


class _Handler(BaseHTTPRequestHandler):
    board: ClassVar[Board]
    protocol_version = "HTTP/1.1"
    timeout = IDLE
    wbufsize = -1  # head and body in one packet: apart, the body would wait for the head's acknowledgement

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
                self._refuse(HTTPStatus.NOT_FOUND, "there is /ready, /status, /samples?from=<byte offset> and /metrics")

    def _ready(self) -> None:
        if self.board.ready():
            self._answer(HTTPStatus.OK, {"status": "ready"})
        else:
            self._refuse(HTTPStatus.SERVICE_UNAVAILABLE, "there is no load plan yet")

    def _status(self) -> None:
        samples = {"first": self.board.samples.first, "next": self.board.samples.next}
        self._answer(HTTPStatus.OK, {"time": time.time(), **self.board.status(), "samples": samples})

    def _samples(self, query: dict[str, list[str]]) -> None:
        offset = query.get("from", [""])[-1]
        if not (offset.isascii() and offset.isdigit() and len(offset) < 20):
            self._refuse(HTTPStatus.BAD_REQUEST, "from must be a byte offset: a whole number, 0 or more")
            return
        try:
            self._send(HTTPStatus.OK, self.board.samples.read(int(offset)), CSV)
        except GoneError:
            first = self.board.samples.first
            self._answer(HTTPStatus.GONE, {"error": f"samples before {first} are not kept any more", "first": first})
        except ValueError as error:
            self._refuse(HTTPStatus.BAD_REQUEST, str(error))

    def _metrics(self) -> None:
        if self.board.metrics is None:
            self._refuse(HTTPStatus.NOT_FOUND, "metrics are off: set metrics.enabled in the stack's configuration")
        else:
            text, kind = self.board.metrics()
            self._send(HTTPStatus.OK, text, kind)

    def _refuse(self, status: HTTPStatus, error: str) -> None:
        self._answer(status, {"error": error})

    def _answer(self, status: HTTPStatus, document: dict[str, Any]) -> None:
        self._send(status, json.dumps(document).encode() + b"\n", JSON)

    def _send(self, status: HTTPStatus, body: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing: the interface is asked every second."""
