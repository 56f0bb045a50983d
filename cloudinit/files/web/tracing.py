"""Makes OpenTelemetry spans of nginx's access log, the path of which is its argument.

nginx itself can't: Debian 12 and its peers package no module for it. Follows the log from its present end, across
rotation, and reports each request whose trace is sampled. Settings come from the environment: TRACING_ENDPOINT and
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
ROTATION_SECONDS = 1.0  # for nginx's workers to turn to a new file
CHUNK = 1 << 20  # bytes; no line is longer
TICK = 0.001  # seconds of nginx's clock
CUT = 0.000003  # seconds: the application's times were cut to microseconds, and pass through floats

# As in nginx.conf, and sampled: the lowest bit of the flags. No other field can look like this one, since the log
# escapes quotes; and most lines need no parsing.
SAMPLED = re.compile(
    rb'"traceparent":"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-[0-9a-f][13579bdf]"'
)
METHODS = {"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"}


class Follower:
    """The lines that are added to a log, across its rotation.

    Args:
        path: The log; what is in it now is left out. It need not be there yet.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: FileIO | None = None
        self._rest = b""
        self._replaced = 0.0  # when another file was first seen in its place
        self._open(os.SEEK_END)

    def lines(self) -> Iterator[bytes]:
        """What has come since the last time."""
        if self._file is None:
            self._open(os.SEEK_SET)
        yield from self._read()
        # The old file is read for a little longer: nginx's workers turn to the new one after it is there.
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
            self._file.seek(0)  # cut in place
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
    """When nginx began and ended a request, unix time in seconds.

    nginx says it in ticks of 1 ms, cut: the truth of each lies within the tick's millisecond. Where the application
    said by its finer clock when it worked on the request, that tells where: nginx began before, and ended after. So
    the application's span lies within this one, and this one within its client's, if their clocks agree; if they
    don't, it still lies within nginx's ticks.
    """
    ended = datetime.fromisoformat(entry["time"]).timestamp()
    began = ended - entry["request_time"]
    inner_began = entry.get("application_start")
    if inner_began is None:
        return began, ended
    inner_ended = inner_began + (entry["application_ms"] or 0) / 1000
    return (
        min(max(began, inner_began - CUT), began + TICK),
        min(max(ended, inner_ended + CUT), ended + TICK),
    )


def report(exporter: Exporter, line: bytes) -> None:
    """Report the request of a line, if its trace is sampled."""
    sampled = SAMPLED.search(line)
    if not sampled:
        return
    try:
        entry = json.loads(line.decode("utf-8", "replace"))
        began, ended = interval(entry)
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
        return  # the line of a crash, or of a full disk
    exporter.span(
        name=method,
        trace_id=sampled[1].decode(),
        span_id=span_id,
        parent_id=sampled[2].decode(),
        kind=Kind.SERVER,
        start=began,
        end=ended,
        attributes=attributes,
        error=status >= 500,
    )


def main() -> None:
    """Follow the log until told to stop."""
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
