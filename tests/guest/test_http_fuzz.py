"""What is no HTTP, almost HTTP and odd HTTP: neither web nor application responds with a 5xx.

That the application logs no traceback is checked where it is started.
"""

from __future__ import annotations

import re
import socket

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cloudinit.constants import APPLICATION_PORT, WEB_PORT
from tests.guest.guest_root import GuestRoot
from tests.guest.running_tiers import APPLICATION, WEB
from tests.network_namespace import socket_in

EXAMPLES = 300
SILENCE = 0.2  # seconds, after which there is no further response
STATUS_LINE = re.compile(rb"(?:^|\r\n)HTTP/1\.[01] (\d{3}) ")

junk = st.binary(max_size=40)
token = st.one_of(st.sampled_from([b"GET", b"HEAD", b"POST", b"PUT", b"OPTIONS", b"CONNECT", b"PRI", b"get"]), junk)
target = st.one_of(
    st.sampled_from(
        [b"/", b"*", b"/health", b"/ready", b"/api/v1/accounts/1", b"/api/v1/branches/1", b"/api/v1/storage", b"//"]
    ),
    st.builds(b"/api/v1/accounts/%b?%b".__mod__, st.tuples(junk, junk)),
    st.builds(b"http://%b/health".__mod__, st.tuples(junk)),
    st.text(alphabet="%.0123456789abcdefé/\\\x00 ?#", max_size=60).map(lambda text: b"/" + text.encode()),
    st.integers(0, 40_000).map(lambda length: b"/" + b"a" * length),
)
version = st.one_of(st.sampled_from([b"HTTP/1.1", b"HTTP/1.0", b"HTTP/0.9", b"HTTP/2.0", b""]), junk)
field = st.one_of(
    st.sampled_from(
        [
            b"Host: web",
            b"Connection: close",
            b"Connection: upgrade\r\nUpgrade: websocket",
            b"Content-Type: application/json",
            b"Content-Length: 12",
            b"Content-Length: -1",
            b"Content-Length: 99999999999999999999",
            b"Transfer-Encoding: chunked",
            b"Transfer-Encoding: gzip, chunked",
            b"Expect: 100-continue",
            b"traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            b" folded: line",
        ]
    ),
    st.builds(b"%b: %b".__mod__, st.tuples(junk, junk)),
    st.integers(0, 10_000).map(lambda length: b"X: " + b"y" * length),
    junk,
)
body = st.one_of(
    st.sampled_from(
        [b"", b'{"delta": 0}', b'c\r\n{"delta": 0}\r\n0\r\n\r\n', b"zz\r\n", b"ffffffffffffffff1\r\n", b"["]
    ),
    junk,
)
valid = st.sampled_from(
    [
        b"GET /api/v1/accounts/1 HTTP/1.1\r\nHost: web\r\n\r\n",
        b"HEAD /api/v1/branches/1 HTTP/1.1\r\nHost: web\r\n\r\n",
        b"POST /api/v1/accounts/1 HTTP/1.1\r\nHost: web\r\nContent-Type: application/json\r\nContent-Length: 12\r\n\r\n"
        b'{"delta": 0}',
    ]
)
damaged = st.builds(
    lambda data, at, cut, inserted: data[: at % len(data)] + inserted + data[at % len(data) + cut :],
    valid,
    st.integers(0, 1000),
    st.integers(0, 5),
    st.binary(max_size=5),
)
requests = st.builds(
    lambda line, fields, content: b"\r\n".join([b" ".join(line), *fields, b"", content]),
    st.tuples(token, target, version),
    st.lists(field, max_size=8).map(lambda fields: [b"Host: web", *fields]),
    body,
)


def responses(tiers: GuestRoot, port: int, data: bytes) -> bytes:
    """Return what comes back for bytes, until the connection closes or falls silent."""
    said = b""
    with socket_in(tiers.network_namespace, lambda: socket.create_connection(("127.0.0.1", port), 5)) as peer:
        try:
            peer.sendall(data)
            peer.settimeout(SILENCE)
            while chunk := peer.recv(65536):
                said += chunk
        except (TimeoutError, ConnectionError):
            pass
    return said


@pytest.mark.parametrize(
    ("port", "url"), [(WEB_PORT, WEB), (APPLICATION_PORT, APPLICATION)], ids=["web", "application"]
)
def test_no_bytes_are_answered_with_a_5xx(tiers: GuestRoot, port: int, url: str) -> None:
    seen: set[int] = set()

    @settings(max_examples=EXAMPLES, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(st.one_of(damaged, requests, st.lists(valid | damaged | requests, max_size=3).map(b"".join), st.binary()))
    def fuzz(data: bytes) -> None:
        statuses = {int(status) for status in STATUS_LINE.findall(responses(tiers, port, data))}
        assert all(status < 500 for status in statuses), statuses
        seen.update(statuses)

    fuzz()
    assert {200, 400, 404} <= seen, "the examples reach more than the parser"
    assert tiers.get(f"{url}/api/v1/accounts/1").status == 200
    error_log = tiers.read("/var/log/nginx/error.log")
    assert not re.search(r"\[(emerg|alert|crit)\]|exited on signal", error_log)


def test_responses_to_a_pipeline_that_ends_in_nonsense_are_dropped(tiers: GuestRoot) -> None:
    # The first response finds its connection closed, which is no error of the application.
    request = b"GET /api/v1/branches/1 HTTP/1.1\r\nHost: web\r\n\r\n"
    assert b"400 Bad Request" in responses(tiers, APPLICATION_PORT, request * 2 + b"\0\r\n\r\n")
