"""A client outside the guests: an open model at a constant rate, with reads and with updates that a ledger records."""

from __future__ import annotations

import asyncio
import random
import ssl
import time
from collections import Counter
from itertools import count
from threading import Event, Lock, Thread
from typing import NamedTuple

import httpx

from faults.ledger import Ledger, Standing, Update
from faults.recovery import Requests, requests

TIMEOUT = 5.0  # s; a request that takes longer has failed
_UPDATE = 5  # one request in so many is an update
_READ_ACCOUNTS = 100_000  # in every stack
_GOOD = "200"
_NOT_SENT = "no connection"


class Observation(NamedTuple):
    """One request: when it was due, by the monotonic clock, how long it took from then, and what came of it."""

    due: float
    took: float
    answer: str


class Client(Thread):
    """Sends requests while the body of a `with` statement runs. At its end, it waits for those on their way.

    Args:
        url: Base URL of what they are sent to.
        source: Address that they are sent from. This machine has it only while the lab's network is up; without that,
            requests would follow the default route out of this machine.
        ledger: Records what came of the updates.
        rate: Requests per second.
    """

    def __init__(self, url: str, source: str, ledger: Ledger, rate: float) -> None:
        super().__init__(name="client", daemon=True)
        self._url, self._source, self._ledger, self._rate = url, source, ledger, rate
        self._stopping, self._lock = Event(), Lock()
        self._observed: list[Observation] = []
        self._pending: set[float] = set()
        self._next_due = 0.0
        self._failure: BaseException | None = None

    def __enter__(self) -> Client:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self.join()
        if self._failure:
            raise self._failure

    def run(self) -> None:
        """Send until stopped."""
        try:
            asyncio.run(self._send_all())
        except BaseException as error:  # raised again where the body ends
            self._failure = error

    def settled_until(self) -> float:
        """Return up to when every request has its answer."""
        with self._lock:
            return min(self._pending | {self._next_due})

    def requests(self) -> Requests:
        """Return the requests that have ended."""
        with self._lock:
            observed = list(self._observed)
        return requests((one.due, one.took, one.answer == _GOOD) for one in observed)

    def failures(self, since: float) -> dict[str, int]:
        """Return how many of the requests from a time on failed, by what came of them."""
        with self._lock:
            observed = list(self._observed)
        return dict(Counter(one.answer for one in observed if one.due >= since and one.answer != _GOOD))

    async def _send_all(self) -> None:
        # Plain HTTP needs no certificate authorities; to load this machine's takes a second.
        transport = httpx.AsyncHTTPTransport(
            verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=None),
            local_address=self._source,
        )
        async with (
            httpx.AsyncClient(base_url=self._url, timeout=TIMEOUT, transport=transport, trust_env=False) as client,
            asyncio.TaskGroup() as tasks,
        ):
            started = time.monotonic()
            for number in count():
                due = started + number / self._rate
                await asyncio.sleep(max(0.0, due - time.monotonic()))
                if self._stopping.is_set():
                    return
                with self._lock:
                    self._pending.add(due)
                    self._next_due = started + (number + 1) / self._rate
                tasks.create_task(self._send(client, due, update=number % _UPDATE == 0))

    async def _send(self, client: httpx.AsyncClient, due: float, *, update: bool) -> None:
        change = self._ledger.next() if update else None
        answer, standing = await _answer(client, change)
        if change:
            self._ledger.record(change, standing)
        with self._lock:
            self._observed.append(Observation(due, time.monotonic() - due, answer))
            self._pending.remove(due)


async def _answer(client: httpx.AsyncClient, update: Update | None) -> tuple[str, Standing]:
    """Send one request, and return what came of it in words, and what that says about an update."""
    try:
        async with asyncio.timeout(TIMEOUT):
            if update:
                path, body = f"/api/v1/accounts/{update.account}", {"delta": update.delta}
                response = await client.post(path, json=body)
            else:
                response = await _read(client, f"/api/v1/accounts/{random.randint(1, _READ_ACCOUNTS)}")  # noqa: S311
    except (httpx.ConnectError, httpx.ConnectTimeout):
        return _NOT_SENT, Standing.REFUSED
    except (TimeoutError, httpx.TimeoutException):
        return "time-out", Standing.IN_DOUBT
    except httpx.TransportError:
        return "broken connection", Standing.IN_DOUBT
    return str(response.status_code), standing(response.status_code, retry="Retry-After" in response.headers)


async def _read(client: httpx.AsyncClient, path: str) -> httpx.Response:
    """Send a GET; again if its connection was closed just then, as HTTP clients do (RFC 9110, section 9.2.2)."""
    try:
        return await client.get(path)
    except (httpx.ReadError, httpx.WriteError, httpx.RemoteProtocolError):
        return await client.get(path)


def standing(status: int, *, retry: bool) -> Standing:
    """Return what an answer to an update says about it.

    Args:
        status: The answer's status code.
        retry: Whether it suggests a retry, which a 503 only does if nothing was changed.
    """
    if status == httpx.codes.OK:
        return Standing.ACKNOWLEDGED
    if httpx.codes.is_client_error(status) or (status == httpx.codes.SERVICE_UNAVAILABLE and retry):
        return Standing.REFUSED
    return Standing.IN_DOUBT
