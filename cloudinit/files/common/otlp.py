"""Sends spans to an OpenTelemetry collector by OTLP/HTTP in JSON; in the guest on Python's standard library alone.

Whoever reports a span never waits: spans go into a bounded queue, and a thread sends them in batches. What the
collector doesn't take, because it is away, refuses or is too slow, is dropped and counted, and the log says so once.
"""

import http.client
import json
import logging
import socket
import threading
from collections import deque
from collections.abc import Mapping
from enum import IntEnum
from urllib.parse import urlsplit

BATCH_SPANS = 512
BATCH_SECONDS = 1.0
QUEUE_SPANS = 8192  # some 8 MB
TIMEOUT = 5.0  # seconds, for the connect and for each wait for the collector
LONGEST_TEXT = 1024  # characters of one attribute
LARGEST_ANSWER = 65536  # bytes of a collector's answer that are read

_OPENING = '{"resourceSpans":[{"resource":%s,"scopeSpans":[{"scope":{"name":"multi-tier"},"spans":['
_CLOSING = "]}]}]}"

log = logging.getLogger("otlp")

Value = str | int | float | bool


class Kind(IntEnum):
    """Which side of a call a span is, numbered as in OTLP."""

    INTERNAL = 1
    SERVER = 2
    CLIENT = 3


class CollectorError(Exception):
    """The collector did not take a batch; the words say why."""


class Exporter:
    """Spans of one service, on their way to one collector.

    Args:
        endpoint: Base URL of the collector, such as http://collector:4318; spans go to its /v1/traces.
        service_name: The resource attribute service.name of every span.

    Raises:
        ValueError: The endpoint is no http or https URL.
    """

    def __init__(self, endpoint: str, service_name: str) -> None:
        url = urlsplit(endpoint)
        if url.scheme not in ("http", "https") or not url.hostname:
            raise ValueError(f"The tracing endpoint must be a URL such as http://collector:4318, not {endpoint!r}.")
        self._connection = http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection
        self._host, self._port = url.hostname, url.port
        self._path = url.path.rstrip("/") + "/v1/traces"
        resource = {"attributes": _attributes({"service.name": service_name, "host.name": socket.gethostname()})}
        self._opening = _OPENING % json.dumps(resource)
        self._queue: deque[str] = deque()
        self._wake = threading.Event()
        self._closing = False
        self._account = _Account(f"{url.scheme}://{url.netloc.rpartition('@')[2]}{self._path}")
        self._thread = threading.Thread(target=self._send_batches, name="otlp", daemon=True)
        self._thread.start()

    @property
    def dropped(self) -> int:
        """Spans that the collector never took."""
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
        """Queue one span; returns at once, whatever the collector does.

        Args:
            name: What was done; of few different values, so no id is in it.
            trace_id: 32 hexadecimal digits.
            span_id: 16 hexadecimal digits.
            parent_id: 16 hexadecimal digits, or nothing for the first span of a trace.
            kind: Which side of a call it is.
            start: Unix time in seconds; sent to the microsecond, which is about what a float holds.
            end: The same, not before start.
            attributes: By OpenTelemetry's names; long texts are cut.
            error: Whether what was done failed.
        """
        if len(self._queue) >= QUEUE_SPANS:
            self._account.drop(1)
            return
        span: dict[str, object] = {
            "traceId": trace_id,
            "spanId": span_id,
            "parentSpanId": parent_id,
            "name": name,
            "kind": int(kind),
            "startTimeUnixNano": _nanoseconds(start),
            "endTimeUnixNano": _nanoseconds(end),
            "attributes": _attributes(attributes or {}),
            "status": {"code": 2} if error else {},
        }
        # As text already: made in the thread, a batch at a time, it would hold up whoever else runs meanwhile.
        self._queue.append(json.dumps(span))
        if len(self._queue) >= BATCH_SPANS:
            self._wake.set()

    def close(self) -> None:
        """Send what is queued, as far as the collector takes it within some seconds, and end."""
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
                    refused = self._post((self._opening + ",".join(spans) + _CLOSING).encode("ascii"))
                except CollectorError as error:
                    self._account.failed(len(spans), str(error))
                else:
                    self._account.sent(refused)

    def _post(self, body: bytes) -> int:
        """Send one request; return how many of its spans the collector refused."""
        connection = self._connection(self._host, self._port, timeout=TIMEOUT)
        try:
            connection.request("POST", self._path, body, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            said = answer.read(LARGEST_ANSWER)
        except (OSError, ValueError, http.client.HTTPException) as error:
            raise CollectorError(f"{type(error).__name__}: {error}") from None
        finally:
            connection.close()
        if answer.status not in range(200, 300):
            raise CollectorError(f"it answered {answer.status}")
        return _refused(said)


class _Account:
    """What was dropped; says so when dropping begins, and when it is over."""

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
        """None of a batch arrived."""
        if not self._dropping:
            log.warning("traces: %s takes no spans, they are dropped: %s", self._url, why)
            self._dropping, self._before = True, self._judged
        self.drop(spans)
        self._judged = self.dropped

    def sent(self, refused: int) -> None:
        """A batch arrived, but for those that the collector refused."""
        self.drop(refused)
        lost = self.dropped - self._judged
        if lost and not self._dropping:
            log.warning("traces: %s takes fewer spans than there are, the others are dropped", self._url)
            self._dropping, self._before = True, self._judged
        elif self._dropping and not lost:
            log.warning("traces: %s takes all spans again, %d were dropped", self._url, self.dropped - self._before)
            self._dropping = False
        self._judged += lost


def _nanoseconds(seconds: float) -> str:
    return f"{round(seconds * 1e6)}000"


def _attributes(attributes: Mapping[str, Value]) -> list[dict[str, object]]:
    return [{"key": key, "value": _value(value)} for key, value in attributes.items()]


def _value(value: Value) -> dict[str, object]:
    """An AnyValue, by Protocol Buffers' mapping to JSON."""
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    if isinstance(value, float):
        return {"doubleValue": value}
    # Half a surrogate pair, which only Python lets into a text, would make the whole batch unreadable.
    return {"stringValue": value[:LONGEST_TEXT].encode("utf-8", "replace").decode("utf-8")}


def _refused(said: bytes) -> int:
    """How many spans a collector says it refused; what isn't OTLP's answer refuses none."""
    try:
        return max(0, int(json.loads(said)["partialSuccess"]["rejectedSpans"]))
    except (ValueError, TypeError, KeyError, RecursionError):
        return 0
