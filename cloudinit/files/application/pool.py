"""A pool of database connections. Lending one that is idle takes neither a task nor a timer."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

from .clocks import CONNECT, Clocks


class ExhaustedError(TimeoutError):
    """Other requests held all connections for so long that no time was left for a connect."""


class Pool:
    """Connections that are lent to one request at a time, in the order in which the requests came.

    Args:
        most: The most connections that it opens.
        connect: Opens one.
        failed: Called if a connect failed that no request was waiting for any more.
    """

    def __init__(
        self, most: int, connect: Callable[[], Awaitable[Any]], failed: Callable[[BaseException], None]
    ) -> None:
        self._most = most
        self._connect = connect
        self._failed = failed
        self._size = 0  # connections, those that are being opened included
        self._usable: set[Any] = set()  # lent or idle; any other is closed when it comes back
        self._idle: list[Any] = []
        # A turn is a connection, or None: the right to open one.
        self._turns: deque[asyncio.Future[Any]] = deque()
        self._connecting: set[asyncio.Future[Any]] = set()

    @property
    def connected(self) -> bool:
        """Whether it has a connection."""
        return bool(self._usable)

    def take(self) -> Any:
        """Borrow an idle connection, if there is one."""
        while self._idle:
            connection = self._idle.pop()
            if not connection.is_closed():
                return connection
            self._discard(connection)
        return None

    async def wait(self, clocks: Clocks, seconds: float) -> Any:
        """Borrow a connection: a new one if there may be more, else the next that is given back.

        A connect that takes longer goes on, and the connection is for others.

        Args:
            clocks: The request's clocks.
            seconds: How long it may take.

        Raises:
            ExhaustedError: Others held all connections.
            TimeoutError: The connect took too long.
        """
        loop = asyncio.get_running_loop()
        began = loop.time()
        if self._size < self._most:
            self._size += 1
        elif connection := await self._turn(seconds):
            return connection
        waited = loop.time() - began
        connecting = asyncio.ensure_future(self._open(clocks))
        self._connecting.add(connecting)
        connecting.add_done_callback(self._connecting.discard)
        try:
            async with asyncio.timeout(seconds - waited):
                return await asyncio.shield(connecting)
        except BaseException as error:
            # Nobody waits for it now. If it has failed already, then with this error.
            if not (connecting.done() and not connecting.cancelled() and connecting.exception() is error):
                connecting.add_done_callback(self._arrived)
            if isinstance(error, TimeoutError) and waited > seconds / 2:
                raise ExhaustedError from None
            raise

    def give_back(self, connection: Any) -> None:
        """Lend a connection to the next request, or close it if it has expired."""
        if connection.is_closed() or connection not in self._usable:
            self._discard(connection)
        elif turn := self._next_turn():
            turn.set_result(connection)
        else:
            self._idle.append(connection)

    def expire(self) -> None:
        """Close every connection: those that are idle now, the others when they are given back."""
        self._usable.clear()
        idle, self._idle = self._idle, []
        for connection in idle:
            self._discard(connection)

    async def _turn(self, seconds: float) -> Any:
        loop = asyncio.get_running_loop()
        turn: asyncio.Future[Any] = loop.create_future()
        self._turns.append(turn)
        timer = loop.call_later(seconds, _exhaust, turn)
        try:
            return await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled() and not turn.exception():
                self._pass_on(turn.result())
            raise
        finally:
            timer.cancel()

    def _next_turn(self) -> asyncio.Future[Any] | None:
        while self._turns:
            turn = self._turns.popleft()
            if not turn.done():
                return turn
        return None

    async def _open(self, clocks: Clocks) -> Any:
        clocks.start(CONNECT)
        try:
            connection = await self._connect()
        except BaseException:
            self._vacate()
            raise
        finally:
            clocks.end(CONNECT)
        self._usable.add(connection)
        return connection

    def _arrived(self, connecting: asyncio.Future[Any]) -> None:
        if connecting.cancelled():
            return
        if error := connecting.exception():
            self._failed(error)
        else:
            self.give_back(connecting.result())

    def _discard(self, connection: Any) -> None:
        self._usable.discard(connection)
        connection.terminate()
        self._vacate()

    def _vacate(self) -> None:
        if turn := self._next_turn():
            turn.set_result(None)
        else:
            self._size -= 1

    def _pass_on(self, turn: Any) -> None:
        if turn is None:
            self._vacate()
        else:
            self.give_back(turn)


def _exhaust(turn: asyncio.Future[Any]) -> None:
    if not turn.done():
        turn.set_exception(ExhaustedError())
