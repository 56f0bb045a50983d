"""Exports spans to an OpenTelemetry collector as OTLP/HTTP in JSON, with Python's standard library alone.

Reporting a span never blocks: spans go into a bounded queue, and a thread sends them in batches. Spans that the
collector does not accept, because it is unreachable, refuses or is too slow, are dropped and counted, and logged once.
"""

import http.client
import json
import logging
import socket
import threading
from collections import deque
from collections.abc import Mapping
from enum import IntEnum
from functools import lru_cache
from urllib.parse import urlsplit

BATCH_SPANS = 512
BATCH_SECONDS = 1.0
QUEUE_SPANS = 8192  # about 8 MB
TIMEOUT = 5.0  # seconds, for the connect and for each read
LONGEST_TEXT = 1024  # characters of one attribute
LARGEST_RESPONSE = 65536  # bytes of a response that are read

_OPENING = '{"resourceSpans":[{"resource":{"attributes":[%s]},"scopeSpans":[{"scope":{"name":"multi-tier"},"spans":['
_CLOSING = "]}]}]}"
OK, ERROR = "{}", '{"code":2}'

log = logging.getLogger("otlp")

Value = str | int | float | bool


class Kind(IntEnum):
    """The side of a call that a span describes, numbered as in OTLP."""

    INTERNAL = 1
    SERVER = 2
    CLIENT = 3


class CollectorError(Exception):
    """The collector did not accept a batch; the message says why."""


class Exporter:
    """Exports the spans of one service to one collector.

    Args:
        endpoint: Base URL of the collector, such as http://collector:4318; spans go to its /v1/traces.
        service_name: The spans' service.name.

    Raises:
        ValueError: The endpoint is not an http or https URL.
    """

    def __init__(self, endpoint: str, service_name: str) -> None:
        url = urlsplit(endpoint)
        if url.scheme not in ("http", "https") or not url.hostname:
            raise ValueError(f"The tracing endpoint must be a URL such as http://collector:4318, not {endpoint!r}.")
        self._connection = http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection
        self._host, self._port = url.hostname, url.port
        self._path = url.path.rstrip("/") + "/v1/traces"
        resource = {"service.name": service_name, "host.name": socket.gethostname()}
        self._opening = _OPENING % ",".join(_attribute(key, value) for key, value in resource.items())
        self._queue: deque[str] = deque()
        self._wake = threading.Event()
        self._closing = False
        self._account = _Account(f"{url.scheme}://{url.netloc.rpartition('@')[2]}{self._path}")
        self._thread = threading.Thread(target=self._send_batches, name="otlp", daemon=True)
        self._thread.start()

    @property
    def dropped(self) -> int:
        """Number of spans that were dropped."""
        return self._account.dropped

    def span(
        self,
        *,
        name: str,
        trace_id: str,
        span_id: str,
        parent_id: str,
        kind: Kind,
        start: float,
        end: float,
        attributes: Mapping[str, Value] | None = None,
        error: bool = False,
    ) -> None:
        """Queue one span, without blocking.

        Args:
            name: Name of the operation, of low cardinality (no ids).
            trace_id: 32 hexadecimal digits.
            span_id: 16 hexadecimal digits.
            parent_id: 16 hexadecimal digits; empty for the root span.
            kind: The side of the call.
            start: Unix time in seconds, sent with microseconds, which is about a float's precision.
            end: The same, not before start.
            attributes: Attributes by OpenTelemetry's names; long texts are truncated.
            error: Whether the operation failed.
        """
        if len(self._queue) >= QUEUE_SPANS:
            self._account.drop(1)
            return
        # Serialized here: in the exporter's thread, a batch at a time, it would stall the other threads. Written out,
        # because most spans differ in nothing but their ids and times.
        described = ",".join([_attribute(key, value) for key, value in attributes.items()]) if attributes else ""
        self._queue.append(
            f'{{"traceId":"{trace_id}","spanId":"{span_id}","parentSpanId":"{parent_id}","name":{_text(name)},'
            f'"kind":{kind:d},"startTimeUnixNano":"{_nanoseconds(start)}","endTimeUnixNano":"{_nanoseconds(end)}",'
            f'"attributes":[{described}],"status":{ERROR if error else OK}}}'
        )
        if len(self._queue) >= BATCH_SPANS:
            self._wake.set()

    def close(self) -> None:
        """Send the queued spans, for at most a few seconds, and stop."""
        self._closing = True
        self._wake.set()
        self._thread.join(TIMEOUT)

    def _send_batches(self) -> None:
        last = False
        while not last:
            self._wake.wait(BATCH_SECONDS)
            last = self._closing
            self._wake.clear()
            while self._queue:
                spans = [self._queue.popleft() for _ in range(min(len(self._queue), BATCH_SPANS))]
                try:
                    rejected = self._post((self._opening + ",".join(spans) + _CLOSING).encode("ascii"))
                except CollectorError as error:
                    self._account.failed(len(spans), str(error))
                else:
                    self._account.sent(rejected)

    def _post(self, body: bytes) -> int:
        """Send one request, and return how many of its spans the collector rejected."""
        connection = self._connection(self._host, self._port, timeout=TIMEOUT)
        try:
            connection.request("POST", self._path, body, {"Content-Type": "application/json"})
            response = connection.getresponse()
            body_read = response.read(LARGEST_RESPONSE)
        except (OSError, ValueError, http.client.HTTPException) as error:
            raise CollectorError(f"{type(error).__name__}: {error}") from None
        finally:
            connection.close()
        if response.status not in range(200, 300):
            raise CollectorError(f"it responded with {response.status}")
        return _rejected(body_read)


class _Account:
    """Counts dropped spans, and logs when dropping starts and stops."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._lock = threading.Lock()
        self._dropping = False
        self._before = 0
        self._judged = 0
        self.dropped = 0

    def drop(self, spans: int) -> None:
        with self._lock:
            self.dropped += spans

    def failed(self, spans: int, why: str) -> None:
        """Count a batch that was not accepted."""
        if not self._dropping:
            log.warning("traces: %s accepts no spans, dropping them: %s", self._url, why)
            self._dropping, self._before = True, self._judged
        self.drop(spans)
        self._judged = self.dropped

    def sent(self, rejected: int) -> None:
        """Count a batch that was accepted except for `rejected` spans."""
        self.drop(rejected)
        lost = self.dropped - self._judged
        if lost and not self._dropping:
            log.warning("traces: %s accepts only some of the spans, dropping the others", self._url)
            self._dropping, self._before = True, self._judged
        elif self._dropping and not lost:
            log.warning("traces: %s accepts all spans again, %d were dropped", self._url, self.dropped - self._before)
            self._dropping = False
        self._judged += lost


def _nanoseconds(seconds: float) -> str:
    return f"{round(seconds * 1e6)}000"


# Typed, because 1, 1.0 and True are equal, but have different values in JSON.
@lru_cache(maxsize=1024, typed=True)
def _attribute(key: str, value: Value) -> str:
    return json.dumps({"key": key, "value": _value(value)})


_text = lru_cache(maxsize=1024)(json.dumps)


def _value(value: Value) -> dict[str, object]:
    """Return an AnyValue in Protocol Buffers' JSON mapping."""
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    if isinstance(value, float):
        return {"doubleValue": value}
    # A lone surrogate, which Python strings may contain, would make the whole batch invalid.
    return {"stringValue": value[:LONGEST_TEXT].encode("utf-8", "replace").decode("utf-8")}


def _rejected(body: bytes) -> int:
    """Return how many spans a response says were rejected; a response that isn't OTLP's rejects none."""
    try:
        return max(0, int(json.loads(body)["partialSuccess"]["rejectedSpans"]))
    except (ValueError, TypeError, KeyError, RecursionError):
        return 0
