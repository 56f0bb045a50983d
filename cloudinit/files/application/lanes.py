"""Lanes: requests that would wait for each other in the database share a few of its connections, not all."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Hashable
from weakref import WeakValueDictionary

from .clocks import ACQUIRE, Clocks
from .database import DatabaseUnavailableError

# The database makes changes of one account one after the other: with two, the next is there when the last one ends.
ACCOUNT_CONNECTIONS = 2
# Half of the pool for the slow request, whose number bounds how busy it keeps the database.
BRANCH_CONNECTIONS = 5

MOST_REQUESTS = 100  # of one lane, those in the database included
WAIT_SECONDS = 1.0


class _Lane:
    """The requests for one thing."""

    def __init__(self, connections: int) -> None:
        self.connections = asyncio.Semaphore(connections)
        self.requests = 0


class Lanes:
    """The lanes in use, by what their requests are for."""

    def __init__(self) -> None:
        self._lanes: WeakValueDictionary[Hashable, _Lane] = WeakValueDictionary()

    @contextlib.asynccontextmanager
    async def lane(self, key: Hashable, connections: int, clocks: Clocks) -> AsyncIterator[None]:
        """Hold one of a lane's connections; the wait counts as one for a pooled connection.

        Args:
            key: What the request is for.
            connections: How many requests may be in the database for it.
            clocks: The request's clocks.

        Raises:
            DatabaseUnavailableError: Too many requests were there before, or took too long.
        """
        lane = self._lanes.get(key)
        if lane is None:
            lane = self._lanes[key] = _Lane(connections)
        clocks.start(ACQUIRE)
        if lane.requests >= MOST_REQUESTS:
            raise _busy(clocks)
        lane.requests += 1
        try:
            await _acquire(lane.connections, clocks)
            try:
                yield
            finally:
                lane.connections.release()
        finally:
            lane.requests -= 1


async def _acquire(connections: asyncio.Semaphore, clocks: Clocks) -> None:
    try:
        async with asyncio.timeout(WAIT_SECONDS):
            await connections.acquire()
    except TimeoutError:
        raise _busy(clocks) from None


def _busy(clocks: Clocks) -> DatabaseUnavailableError:
    clocks.end(ACQUIRE)
    clocks.failures[ACQUIRE] = "TimeoutError"
    return DatabaseUnavailableError("too many requests like this one are in progress")
