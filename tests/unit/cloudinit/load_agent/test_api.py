"""The load agent's HTTP server against clients that are slow, many or no HTTP clients at all."""

from __future__ import annotations

import json
import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cloudinit.files.load.agent import api
from cloudinit.files.load.agent.api import MOST_CONNECTIONS, Endpoints, Server
from cloudinit.files.load.agent.sample_log import SampleLog

Address = tuple[str, int]


@pytest.fixture
def address(tmp_path: Path) -> Iterator[Address]:
    """The address of a server that has no plan."""
    endpoints = Endpoints(SampleLog(tmp_path), dict, lambda: False, None)
    with Server(endpoints, 0) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield "127.0.0.1", server.server_port
        server.shutdown()
        thread.join()


def unfinished_requests(address: Address, stack: ExitStack, number: int) -> list[socket.socket]:
    opened = [stack.enter_context(socket.create_connection(address)) for _ in range(number)]
    for connection in opened:
        connection.sendall(b"GET /ready HTTP/1.1\r\nX: ")
    return opened


def ended(connection: socket.socket) -> bool:
    """Send a byte more, and return whether the server has ended the connection."""
    connection.settimeout(0.05)
    try:
        connection.sendall(b"y")
        connection.recv(1)
    except TimeoutError:
        return False
    except OSError:
        pass
    return True


def exchanged(address: Address, data: bytes) -> bytes:
    """Return all that comes back for bytes."""
    with socket.create_connection(address, 5) as connection, connection.makefile("rb") as responses:
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        return responses.read()


def test_unfinished_requests_make_room_for_others(address: Address) -> None:
    ready = "http://{}:{}/ready".format(*address)
    with ExitStack() as stack:
        assert httpx.get(ready).status_code == 503
        opened = unfinished_requests(address, stack, MOST_CONNECTIONS + 50)
        assert httpx.get(ready).status_code == 503
        threads = [thread for thread in threading.enumerate() if "process_request_thread" in thread.name]
        assert len(threads) <= MOST_CONNECTIONS + 1
        assert ended(opened[0])
        assert not ended(opened[-1])


def test_a_request_that_never_ends_is_given_up(address: Address, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "REQUEST_SECONDS", 0.3)
    with ExitStack() as stack:
        (connection,) = unfinished_requests(address, stack, 1)
        deadline = time.monotonic() + 2
        while not ended(connection):
            assert time.monotonic() < deadline


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"\x16\x03\x01\r\n\r\n", 400),
        (b"BREW /ready HTTP/1.1\r\n\r\n", 405),
        (b"POST /ready HTTP/1.1\r\nContent-Length: 9\r\n\r\n", 405),
        (b"GET /ready HTTP/9.9\r\n\r\n", 505),
        (b"GET /" + b"x" * 70_000 + b" HTTP/1.1\r\n\r\n", 414),
        (b"GET /ready HTTP/1.1\r\n" + b"X: y\r\n" * 200 + b"\r\n", 431),
        (b"GET /ready HTTP/1.1\r\nX: " + b"y" * 70_000 + b"\r\n\r\n", 431),
    ],
    ids=lambda value: repr(value[:10]) if isinstance(value, bytes) else None,
)
def test_what_is_no_request_of_the_api_is_refused_in_json(address: Address, data: bytes, status: int) -> None:
    head, _, body = exchanged(address, data).partition(b"\r\n\r\n")
    assert head.split()[:2] == [b"HTTP/1.1", str(status).encode()]
    assert json.loads(body)["error"]


junk = st.binary(max_size=30)
lines = st.one_of(
    st.sampled_from([b"GET /ready HTTP/1.1", b"GET /samples?from=-1 HTTP/1.0", b"GET /status", b"POST / HTTP/1.1"]),
    st.sampled_from([b"Connection: keep-alive", b"Expect: 100-continue", b"Content-Length: x", b" folded", b""]),
    st.builds(b"GET /samples?from=%b HTTP/1.1".__mod__, st.tuples(junk)),
    st.builds(b"%b: %b".__mod__, st.tuples(junk, junk)),
    junk,
)


def test_no_bytes_make_the_server_fail(address: Address, capfd: pytest.CaptureFixture[str]) -> None:
    @settings(max_examples=300, suppress_health_check=list(HealthCheck), deadline=None)
    @given(st.lists(lines, max_size=8).map(b"\r\n".join))
    def fuzz(data: bytes) -> None:
        statuses = re.findall(rb"^HTTP/1.1 (\d+) ", exchanged(address, data), re.MULTILINE)
        assert not {b"500", b"501"} & set(statuses)

    fuzz()
    assert httpx.get("http://{}:{}/status".format(*address)).status_code == 200
    assert capfd.readouterr().err == ""
