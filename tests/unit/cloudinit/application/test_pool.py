"""The pool of connections: lent in turn, opened as needed, replaced when they expire, and never lost."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from cloudinit.files.application.clocks import CONNECT, Clocks
from cloudinit.files.application.pool import ExhaustedError, Pool


class Connection:
    """A connection, as far as the pool uses one."""

    def __init__(self) -> None:
        self.closed = False

    def is_closed(self) -> bool:
        return self.closed

    def terminate(self) -> None:
        self.closed = True


class Server:
    """Accepts connections, after a while or never."""

    def __init__(self) -> None:
        self.accepted: list[Connection] = []
        self.seconds = 0.0
        self.error: Exception | None = None
        self.failures: list[BaseException] = []

    async def connect(self) -> Connection:
        await asyncio.sleep(self.seconds)
        if self.error:
            raise self.error
        self.accepted.append(Connection())
        return self.accepted[-1]

    def pool(self, most: int = 1) -> Pool:
        return Pool(most, self.connect, self.failures.append)

    @property
    def open(self) -> int:
        return sum(not one.closed for one in self.accepted)


Scenario = Callable[[Server], Awaitable[None]]


def run(scenario: Scenario) -> None:
    asyncio.run(asyncio.wait_for(scenario(Server()), 10))


async def borrow(pool: Pool, seconds: float = 1.0, clocks: Clocks | None = None) -> Connection:
    found: Connection = pool.take() or await pool.wait(clocks or Clocks(), seconds)
    return found


def test_a_connection_that_was_given_back_is_lent_again_without_a_connect() -> None:
    async def scenario(server: Server) -> None:
        pool, clocks = server.pool(), Clocks()
        connection = await borrow(pool, clocks=clocks)
        assert CONNECT in clocks.intervals
        pool.give_back(connection)
        assert pool.take() is connection
        assert len(server.accepted) == 1

    run(scenario)


def test_requests_get_a_connection_in_the_order_in_which_they_came() -> None:
    async def scenario(server: Server) -> None:
        pool, order = server.pool(), list[int]()

        async def request(number: int) -> None:
            connection = await borrow(pool)
            order.append(number)
            await asyncio.sleep(0)
            pool.give_back(connection)

        await asyncio.gather(*(request(number) for number in range(20)))
        assert order == list(range(20))
        assert len(server.accepted) == 1

    run(scenario)


def test_no_more_connections_are_opened_than_there_may_be() -> None:
    async def scenario(server: Server) -> None:
        pool = server.pool(3)
        server.seconds = 0.01
        held = await asyncio.gather(*(borrow(pool) for _ in range(3)))
        with pytest.raises(ExhaustedError):
            await pool.wait(Clocks(), 0.02)
        assert (len(set(held)), server.open) == (3, 3)

    run(scenario)


def test_a_connection_that_the_server_closed_is_replaced() -> None:
    async def scenario(server: Server) -> None:
        pool = server.pool()
        pool.give_back(await borrow(pool))
        server.accepted[0].closed = True
        assert await borrow(pool) is server.accepted[1]

    run(scenario)


def test_the_next_in_turn_opens_a_connection_in_place_of_one_that_broke() -> None:
    async def scenario(server: Server) -> None:
        pool = server.pool()
        broken = await borrow(pool)
        waiting = asyncio.ensure_future(borrow(pool))
        await asyncio.sleep(0)
        broken.terminate()
        pool.give_back(broken)
        assert await waiting is server.accepted[1]

    run(scenario)


def test_connections_that_expire_are_closed_when_nobody_uses_them() -> None:
    async def scenario(server: Server) -> None:
        pool = server.pool(2)
        idle, lent = await borrow(pool), await borrow(pool)
        pool.give_back(idle)
        pool.expire()
        assert (idle.closed, lent.closed, pool.connected) == (True, False, False)
        pool.give_back(lent)
        assert lent.closed
        await borrow(pool)
        await borrow(pool)
        assert server.open == 2

    run(scenario)


def test_a_connect_that_takes_too_long_goes_on_for_others() -> None:
    async def scenario(server: Server) -> None:
        pool = server.pool()
        server.seconds = 0.05
        with pytest.raises(TimeoutError) as caught:
            await borrow(pool, 0.01)
        assert not isinstance(caught.value, ExhaustedError)
        assert await borrow(pool) is server.accepted[0]

    run(scenario)


def test_a_connect_that_fails_leaves_room_for_another() -> None:
    async def scenario(server: Server) -> None:
        pool = server.pool()
        server.error = ConnectionRefusedError("refused")
        for _ in range(3):
            with pytest.raises(ConnectionRefusedError):
                await borrow(pool)
        server.error = None
        await borrow(pool)
        assert server.failures == [], "each failure was a request's own"

    run(scenario)


def test_a_connect_that_fails_after_its_request_gave_up_is_reported() -> None:
    async def scenario(server: Server) -> None:
        pool = server.pool()
        server.seconds, server.error = 0.02, ConnectionRefusedError("refused")
        with pytest.raises(TimeoutError):
            await borrow(pool, 0.01)
        await asyncio.sleep(0.05)
        assert server.failures == [server.error]

    run(scenario)


def test_a_cancelled_request_loses_neither_its_turn_nor_its_connect() -> None:
    async def scenario(server: Server) -> None:
        pool = server.pool()
        connection = await borrow(pool)
        waiting = asyncio.ensure_future(borrow(pool))
        await asyncio.sleep(0)
        pool.give_back(connection)  # to the one that waits, which is cancelled before it can take it
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        assert pool.take() is connection

        connection.terminate()
        pool.give_back(connection)
        server.seconds = 0.02
        connecting = asyncio.ensure_future(borrow(pool))
        await asyncio.sleep(0.01)
        connecting.cancel()
        await asyncio.gather(connecting, return_exceptions=True)
        assert await borrow(pool) is server.accepted[1]
        assert server.open == 1

    run(scenario)
