"""Exports OpenTelemetry spans from nginx's access log, whose path is the argument.

nginx can't do it itself: Debian 12 packages no module for it. Follows the log from its current end, across rotation,
and exports each request whose trace is sampled. Settings come from the environment: TRACING_ENDPOINT and
TRACING_SERVICE.
"""

import json
import logging
import os
import re
import signal
import sys
import time
from collections.abc import Iterator
from datetime import datetime
from io import FileIO
from pathlib import Path
from threading import Event
from typing import Any

from .otlp import Exporter, Kind

POLL_SECONDS = 0.25
ROTATION_SECONDS = 1.0  # for nginx's workers to switch to a new file
CHUNK = 1 << 20  # bytes; longer than any line
TICK = 0.001  # seconds: resolution of nginx's clock
CUT = 0.000003  # seconds: the application's times are cut to microseconds, and pass through floats

# As in nginx.conf, and sampled (the lowest bit of the flags). No other field can match, because the log escapes
# quotes; so most lines need no parsing.
SAMPLED = re.compile(
    rb'"traceparent":"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-[0-9a-f][13579bdf]"'
)
METHODS = {"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"}


class Follower:
    """Follows a log across rotation.

    Args:
        path: The log. Its present content is skipped; it need not exist yet.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: FileIO | None = None
        self._rest = b""
        self._replaced = 0.0  # when a new file was first seen at the path
        self._open(os.SEEK_END)

    def lines(self) -> Iterator[bytes]:
        """Yield the lines added since the last call."""
        if self._file is None:
            self._open(os.SEEK_SET)
        yield from self._read()
        # Keep reading the old file for a while: nginx's workers switch to the new one with a delay.
        if self._file and self._is_replaced():
            self._replaced = self._replaced or time.monotonic()
            if time.monotonic() - self._replaced > ROTATION_SECONDS:
                yield from self._read()
                self._file.close()
                self._open(os.SEEK_SET)

    def _open(self, whence: int) -> None:
        self._file, self._rest, self._replaced = None, b"", 0.0
        try:
            self._file = FileIO(self._path)
        except FileNotFoundError:
            return
        self._file.seek(0, whence)

    def _is_replaced(self) -> bool:
        assert self._file  # noqa: S101
        opened = os.fstat(self._file.fileno())
        if opened.st_size < self._file.tell():
            self._file.seek(0)  # truncated in place
        try:
            named = self._path.stat()
        except FileNotFoundError:
            return False
        return (named.st_dev, named.st_ino) != (opened.st_dev, opened.st_ino)

    def _read(self) -> Iterator[bytes]:
        while self._file and (chunk := self._file.read(CHUNK)):
            *lines, rest = (self._rest + chunk).split(b"\n")
            yield from lines
            self._rest = rest if len(rest) < CHUNK else b""


def interval(entry: dict[str, Any]) -> tuple[float, float]:
    """Return when nginx started and finished a request, as Unix time in seconds.

    nginx logs milliseconds, cut: the true time lies within that millisecond. The application's finer clock narrows it
    down: nginx started before the application and finished after it. So this span encloses the application's, and the
    client's encloses this one, if the clocks agree; otherwise it stays within nginx's milliseconds.
    """
    end = datetime.fromisoformat(entry["time"]).timestamp()
    start = end - entry["request_time"]
    inner_start = entry.get("application_start")
    if inner_start is None:
        return start, end
    inner_end = inner_start + (entry["application_ms"] or 0) / 1000
    return (
        min(max(start, inner_start - CUT), start + TICK),
        min(max(end, inner_end + CUT), end + TICK),
    )


def report(exporter: Exporter, line: bytes) -> None:
    """Export the request in a line, if its trace is sampled."""
    sampled = SAMPLED.search(line)
    if not sampled:
        return
    try:
        entry = json.loads(line.decode("utf-8", "replace"))
        start, end = interval(entry)
        path, _, query = entry["uri"].partition("?")
        status = entry["status"]
        method = entry["method"] if entry["method"] in METHODS else "_OTHER"
        attributes: dict[str, str | int | float | bool] = {
            "http.request.method": method,
            "http.response.status_code": status,
            "url.scheme": "http",
            "url.path": path,
            "client.address": entry["client"],
        }
        if query:
            attributes["url.query"] = query
        if status >= 500:
            attributes["error.type"] = str(status)
        span_id = entry["request_id"][:16]
    except (ValueError, TypeError, KeyError):
        return  # a line damaged by a crash or a full disk
    exporter.span(
        name=method,
        trace_id=sampled[1].decode(),
        span_id=span_id,
        parent_id=sampled[2].decode(),
        kind=Kind.SERVER,
        start=start,
        end=end,
        attributes=attributes,
        error=status >= 500,
    )


def main() -> None:
    """Follow the log until a signal arrives."""
    logging.basicConfig(format="multi-tier web: %(message)s", level=logging.INFO)
    stop = Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    exporter = Exporter(os.environ["TRACING_ENDPOINT"], os.environ["TRACING_SERVICE"])
    follower = Follower(Path(sys.argv[1]))
    while not stop.wait(POLL_SECONDS):
        for line in follower.lines():
            report(exporter, line)
    exporter.close()


if __name__ == "__main__":
    main()
