"""An OpenTelemetry collector for tests: keeps every span that it is sent, and refuses what isn't exactly OTLP/HTTP."""

from __future__ import annotations

import base64
import json
import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from google.protobuf.json_format import ParseDict, ParseError  # type: ignore[import-untyped,unused-ignore]
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.network_namespace import socket_in

_IDS = {"traceId": 32, "spanId": 16, "parentSpanId": 16}


@dataclass(frozen=True, slots=True)
class Span:
    """A received span; times are Unix time in nanoseconds."""

    service: str
    name: str
    trace_id: str
    span_id: str
    parent_id: str
    kind: int
    start: int
    end: int
    attributes: dict[str, Any]
    error: bool

    def holds(self, other: Span) -> bool:
        """Return whether this span encloses another one in time."""
        return self.start <= other.start <= other.end <= self.end


@dataclass
class Receiver:
    """What was received, and how to respond."""

    url: str
    spans: list[Span] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    batches: list[int] = field(default_factory=list)
    status: int = 200
    answer: Any = field(default_factory=dict)
    seconds: float = 0.0  # before it responds

    def take(self, path: str, media_type: str | None, body: bytes) -> int:
        """Keep a request's spans, and return the status to respond with."""
        time.sleep(self.seconds)
        if self.status != 200:
            return self.status
        if (path, media_type) != ("/v1/traces", "application/json"):
            self.problems.append(f"{path} {media_type}")
            return 404
        try:
            spans = list(parse(body))
        except (ValueError, LookupError, TypeError, ParseError) as error:
            self.problems.append(repr(error))
            return 400
        self.spans += spans
        self.batches.append(len(spans))
        return 200

    def wait_for(self, count: int, *, trace_id: str = "", seconds: float = 8) -> list[Span]:
        """Return the spans of a trace (or all) by their begin, once there are so many.

        Raises:
            AssertionError: They did not come in time, or something came that isn't OTLP.
        """
        deadline = time.monotonic() + seconds
        while True:
            found = [span for span in list(self.spans) if trace_id in ("", span.trace_id)]
            assert not self.problems, self.problems
            if len(found) >= count:
                return sorted(found, key=lambda span: (span.start, -span.end))
            assert time.monotonic() < deadline, f"{len(found)} spans came within {seconds} s, not {count}: {found}"
            time.sleep(0.02)


def parse(body: bytes) -> Iterator[Span]:
    """Yield the spans of an OTLP/JSON request.

    Raises:
        ValueError: It isn't exactly that; ParseError of Protocol Buffers is another.
    """
    request = json.loads(body)
    for resource in request["resourceSpans"]:
        for scope in resource["scopeSpans"]:
            for span in scope["spans"]:
                _check(span)
    message = ParseDict(request, ExportTraceServiceRequest())
    for resource in message.resource_spans:
        service = _attributes(resource.resource.attributes)["service.name"]
        for scope in resource.scope_spans:
            for span in scope.spans:
                yield Span(
                    service=service,
                    name=span.name,
                    trace_id=span.trace_id.hex(),
                    span_id=span.span_id.hex(),
                    parent_id=span.parent_span_id.hex(),
                    kind=span.kind,
                    start=span.start_time_unix_nano,
                    end=span.end_time_unix_nano,
                    attributes=_attributes(span.attributes),
                    error=span.status.code == 2,
                )


def _check(span: dict[str, Any]) -> None:
    """Refuse what Protocol Buffers' own mapping would take; ids become its base64, in place of OTLP's hexadecimal."""
    for key, digits in _IDS.items():
        if key in span and (span[key] or key != "parentSpanId"):
            if not re.fullmatch(f"[0-9a-f]{{{digits}}}", span[key]) or not span[key].strip("0"):
                raise ValueError(f"{key} {span[key]}")
            span[key] = base64.b64encode(bytes.fromhex(span[key])).decode()
    for key in ("startTimeUnixNano", "endTimeUnixNano"):
        if not isinstance(span[key], str):
            raise ValueError(f"{key} is a number, which loses digits")  # noqa: TRY004
    if not isinstance(span["kind"], int):
        raise ValueError("kind is no number")  # noqa: TRY004


def _attributes(pairs: Any) -> dict[str, Any]:
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in pairs}


@contextmanager
def receiving(namespace: Path | None = None, port: int = 0, address: str = "127.0.0.1") -> Iterator[Receiver]:
    """Run a receiver, on loopback unless told otherwise; in another network namespace, where one is given."""
    with listening(namespace, port, address) as listener:
        receiver = Receiver("http://{}:{}".format(*listener.getsockname()))

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status = receiver.take(self.path, self.headers["Content-Type"], body)
                answer = json.dumps(receiver.answer).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_: object) -> None:
                pass

            def handle(self) -> None:
                with suppress(OSError):  # a client that didn't wait
                    super().handle()

        server = ThreadingHTTPServer(listener.getsockname(), Handler, bind_and_activate=False)
        server.socket.close()
        server.socket = listener
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield receiver
        finally:
            server.shutdown()
            thread.join()


def listening(namespace: Path | None = None, port: int = 0, address: str = "127.0.0.1") -> socket.socket:
    """Return a socket that listens, made in another network namespace where one is given."""

    def listen() -> socket.socket:
        return socket.create_server((address, port))

    return socket_in(namespace, listen) if namespace else listen()
