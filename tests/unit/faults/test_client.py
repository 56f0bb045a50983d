"""The client keeps its rate whatever the server does, and knows what each answer says about an update."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import ClassVar

import numpy as np
import pytest

from faults import client
from faults.client import Client, standing
from faults.ledger import FIRST_ACCOUNT, Ledger, Standing

RATE = 50.0
LOOPBACK = "127.0.0.1"


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


@contextmanager
def serving(answer: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    with Server(("127.0.0.1", 0), answer) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()


class Accounts(BaseHTTPRequestHandler):
    """Answers like the application, and remembers the updates."""

    protocol_version = "HTTP/1.1"
    updates: ClassVar[list[tuple[str, int]]]

    def do_GET(self) -> None:
        self._respond(200)

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.updates.append((self.path, body["delta"]))
        self._respond(200)

    def log_message(self, *_: object) -> None:
        pass

    def _respond(self, status: int) -> None:
        self.send_response(status)
        self.send_header("Content-Length", "2")
        if self.close_connection:  # unannounced, a later request may be sent on it just before it closes
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(b"{}")


def wait_for(sent: Client, count: int) -> None:
    deadline = time.monotonic() + 20
    while len(sent.requests()) < count:
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize(
    ("status", "retry", "expected"),
    [
        (200, False, Standing.ACKNOWLEDGED),
        (503, True, Standing.REFUSED),
        (503, False, Standing.IN_DOUBT),
        (404, False, Standing.REFUSED),
        (429, False, Standing.REFUSED),
        (500, False, Standing.IN_DOUBT),
        (502, False, Standing.IN_DOUBT),
        (504, False, Standing.IN_DOUBT),
    ],
)
def test_an_answer_says_whether_an_update_was_made(status: int, retry: bool, expected: Standing) -> None:
    assert standing(status, retry=retry) is expected


def test_one_request_in_five_is_an_update_of_an_account_of_the_ledger() -> None:
    class Answers(Accounts):
        updates: ClassVar[list[tuple[str, int]]] = []

    ledger = Ledger()
    with serving(Answers) as url, Client(url, LOOPBACK, ledger, RATE) as sent:
        wait_for(sent, 50)
    found = sent.requests()
    assert np.diff(found["due"]) == pytest.approx(1 / RATE)
    assert found["good"].all()
    assert sent.failures(0) == {}
    assert ledger.count(Standing.ACKNOWLEDGED) == len(Answers.updates) == pytest.approx(len(found) / 5, abs=1)
    assert {int(path.rpartition("/")[2]) >= FIRST_ACCOUNT for path, _ in Answers.updates} == {True}


def test_a_server_that_answers_nothing_doesnt_slow_the_client_and_leaves_updates_in_doubt(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Answers(Accounts):
        updates: ClassVar[list[tuple[str, int]]] = []

        def _respond(self, _: int) -> None:
            time.sleep(3)

    monkeypatch.setattr(client, "TIMEOUT", 0.5)
    ledger = Ledger()
    with serving(Answers) as url, Client(url, LOOPBACK, ledger, RATE) as sent:
        wait_for(sent, 30)
        assert sent.settled_until() < time.monotonic() - 0.3
    assert np.diff(sent.requests()["due"]) == pytest.approx(1 / RATE)
    assert sent.failures(0) == {"time-out": len(sent.requests())}
    assert ledger.count(Standing.IN_DOUBT) > 5


def test_a_read_whose_connection_closes_is_sent_once_more_but_not_an_update() -> None:
    class Answers(Accounts):
        updates: ClassVar[list[tuple[str, int]]] = []
        read: ClassVar[set[str]] = set()

        def _respond(self, status: int) -> None:
            self.close_connection = True
            if self.path in self.read:
                super()._respond(status)
            elif self.command == "GET":
                self.read.add(self.path)

    ledger = Ledger()
    with serving(Answers) as url, Client(url, LOOPBACK, ledger, RATE) as sent:
        wait_for(sent, 30)
    assert 5 < sent.failures(0)["broken connection"] <= ledger.count(Standing.IN_DOUBT), "no read has failed"
    assert len(set(Answers.updates)) == len(Answers.updates) > 5


def test_nothing_is_sent_from_another_address_than_the_labs() -> None:
    class Answers(Accounts):
        updates: ClassVar[list[tuple[str, int]]] = []

    ledger = Ledger()
    with serving(Answers) as url, Client(url, "203.0.113.1", ledger, RATE) as sent:  # no address of this machine
        wait_for(sent, 20)
    assert set(sent.failures(0)) == {"no connection"}
    assert not Answers.updates
    assert ledger.count(Standing.REFUSED) > 1


def test_an_update_that_no_connection_was_found_for_was_not_made() -> None:
    ledger = Ledger()
    with serving(Accounts) as url:
        pass
    with Client(url, LOOPBACK, ledger, RATE) as sent:
        wait_for(sent, 10)
    assert set(sent.failures(0)) == {"no connection"}
    assert ledger.count(Standing.REFUSED) > 1
