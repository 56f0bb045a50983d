"""The application's way to its database: pooled connections, and clocks around each part of a question."""

import logging
import os
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import asyncpg  # type: ignore[import-not-found,unused-ignore]

from .clocks import ACQUIRE, CONNECT, QUERY, Clocks
from .constants import DATABASE_NAME, DATABASE_USER
from .statements import Statement

POOL_SIZE = 10
CONNECT_SECONDS = 1.0
ACQUIRE_SECONDS = 2.0  # includes a connect
QUERY_SECONDS = 2.0

# Everything that asyncpg raises when the server is away, too slow or refusing; a name that doesn't resolve too.
FAILURES = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError)

log = logging.getLogger("uvicorn.error")

# The request that a connect is for: asyncpg's callbacks are told nothing, but run in a copy of its context.
_asking: ContextVar[Clocks] = ContextVar("asking")


class DatabaseAwayError(Exception):
    """The database did not answer in time, or refused.

    Attributes:
        asked: Whether the statement was on its way: then nobody knows whether it was carried out.
    """

    def __init__(self, *, asked: bool) -> None:
        super().__init__()
        self.asked = asked


class OutOfRangeError(Exception):
    """The statement would have made a number that its column can't hold; nothing was changed."""


class PlainConnection(asyncpg.Connection):  # type: ignore[misc,unused-ignore]
    """A connection that isn't reset on release: no request changes its state, and a reset is a round trip."""

    async def reset(self, *, timeout: float | None = None) -> None:
        """Leave the connection as it is."""


class Database:
    """Pooled connections that come and go with the server."""

    def __init__(self) -> None:
        self._pool: Any = None
        self._password = ""
        self._away = False

    async def open(self) -> None:
        """Make the pool; with no connection at first, so that the service starts before the database does."""
        credentials = Path(os.environ["CREDENTIALS_DIRECTORY"])
        self._password = (credentials / "database-password").read_text(encoding="utf-8").removesuffix("\n")
        self._pool = await asyncpg.create_pool(
            host=os.environ["DATABASE_HOST"],
            port=int(os.environ["DATABASE_PORT"]),
            user=DATABASE_USER,
            password=self._connect_begins,
            init=self._connect_ends,
            database=DATABASE_NAME,
            ssl="disable",
            timeout=CONNECT_SECONDS,
            min_size=0,
            max_size=POOL_SIZE,
            connection_class=PlainConnection,
        )

    async def close(self) -> None:
        """Drop every connection at once: requests have been answered by now."""
        self._pool.terminate()

    async def row(self, clocks: Clocks, statement: Statement, *arguments: object) -> Any:
        """A statement's first row, None where there is none; the clocks are those of the request that asks.

        Raises:
            DatabaseAwayError: No connection, or no answer, in bounded time.
            OutOfRangeError: The statement would have made a number that doesn't fit.
        """
        connection = await self._connection(clocks)
        clocks.statement = statement
        clocks.begin(QUERY)
        try:
            try:
                result = await connection.fetchrow(statement.text, *arguments, timeout=QUERY_SECONDS)
            finally:
                clocks.end(QUERY)
        except asyncpg.NumericValueOutOfRangeError as error:
            clocks.failures[QUERY] = type(error).__name__
            raise OutOfRangeError from None
        except FAILURES as error:
            clocks.failures[QUERY] = type(error).__name__
            # The other connections lead to the same place: none of them is used again.
            connection.terminate()
            await self._pool.expire_connections()
            self._went_away(error)
            raise DatabaseAwayError(asked=True) from None
        finally:
            await self._pool.release(connection)
        self._came_back()
        return result

    async def _connection(self, clocks: Clocks) -> Any:
        _asking.set(clocks)
        clocks.begin(ACQUIRE)
        try:
            return await self._pool.acquire(timeout=ACQUIRE_SECONDS)
        except FAILURES as error:
            clocks.end(CONNECT)
            clocks.failures[ACQUIRE] = clocks.failures[CONNECT] = type(error).__name__
            self._went_away(error)
            raise DatabaseAwayError(asked=False) from None
        finally:
            clocks.end(ACQUIRE)

    def _connect_begins(self) -> str:
        _asking.get().begin(CONNECT)
        return self._password

    async def _connect_ends(self, _: object) -> None:
        _asking.get().end(CONNECT)

    def _went_away(self, error: BaseException) -> None:
        if not self._away:
            log.warning("database away: %s %s", type(error).__name__, error)
        self._away = True

    def _came_back(self) -> None:
        if self._away:
            log.warning("database back")
        self._away = False
