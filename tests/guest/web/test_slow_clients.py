"""Clients that open connections and never finish a request: others don't notice."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.guest.guest_root import GuestRoot
from tests.guest.running_tiers import WEB

CONNECTIONS = 9_000
HEADER_SECONDS = 10
# Opens connections from some number of addresses and sends on each the start of a request, then a byte a second.
_HALF_OPEN = """
import resource, socket, sys, time
connections, addresses, start = int(sys.argv[1]), int(sys.argv[2]), eval(sys.argv[3])
resource.setrlimit(resource.RLIMIT_NOFILE, (connections + 100, connections + 100))
opened = []
for number in range(connections):
    source = number % addresses
    peer = socket.create_connection(("127.0.0.1", 80), 10, (f"127.1.{source // 250}.{source % 250 + 1}", 0))
    peer.sendall(start)
    opened.append(peer)
print("open", flush=True)
while True:
    time.sleep(1)
    for peer in opened:
        try:
            peer.send(b"x")
        except OSError:
            pass
"""
HEADER = b"GET /api/v1/accounts/1 HTTP/1.1\r\nHost: web\r\nX: "
BODY = (
    b"POST /api/v1/accounts/1 HTTP/1.1\r\nHost: web\r\nContent-Type: application/json\r\nContent-Length: 4000\r\n\r\n"
)


@contextmanager
def half_open(tiers: GuestRoot, log: Path, addresses: int, data: bytes) -> Iterator[None]:
    """Hold connections, from some number of addresses, on which a request has only started."""
    command = ("python3", "-c", _HALF_OPEN, str(CONNECTIONS), str(addresses), repr(data))
    with tiers.running(*command, log=log):
        deadline = time.monotonic() + 30
        while "open" not in log.read_text():
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.05)
        yield


def established(tiers: GuestRoot) -> int:
    """Return how many connections to nginx there are."""
    return int(tiers.get(f"{WEB}/nginx_status").body.split()[2])


@pytest.mark.parametrize("addresses", [1, 1000], ids=["from one address", "from many addresses"])
@pytest.mark.parametrize("data", [HEADER, BODY], ids=["within the headers", "within the body"])
def test_half_open_connections_leave_others_alone(
    tiers: GuestRoot, tmp_path: Path, addresses: int, data: bytes
) -> None:
    with half_open(tiers, tmp_path / "half_open", addresses, data):
        began = time.monotonic()
        assert established(tiers) > CONNECTIONS
        while time.monotonic() < began + 3:
            answer = tiers.get(f"{WEB}/api/v1/accounts/1")
            assert (answer.status, answer.seconds < 1) == (200, True)
        if data is HEADER:
            while established(tiers) > 100:
                assert time.monotonic() < began + HEADER_SECONDS + 10, "nginx gives them up, however steadily they send"
                time.sleep(0.2)
