"""The application's database client: pooled connections, and clocks around each part of a query."""

import logging
import os
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import asyncpg  # type: ignore[import-not-found,unused-ignore]

from .clocks import ACQUIRE, CONNECT, QUERY, Clocks
from .constants import DATABASE_NAME, DATABASE_USER, POOL_SIZE
from .statements import Statement

CONNECT_SECONDS = 1.0
ACQUIRE_SECONDS = 2.0  # includes a connect
QUERY_SECONDS = 2.0

# Everything that asyncpg raises when the server is unreachable, too slow or refuses; also a name that doesn't resolve.
FAILURES = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError)

log = logging.getLogger("uvicorn.error")

# The clocks of the request that a connect is for: asyncpg passes its callbacks nothing, but runs them in a copy of
# the request's context.
_clocks: ContextVar[Clocks] = ContextVar("clocks")


class DatabaseUnavailableError(Exception):
    """The database did not respond in time, or refused.

    Attributes:
        sent: Whether the statement had been sent; if so, it may or may not have taken effect.
    """

    def __init__(self, *, sent: bool) -> None:
        super().__init__()
        self.sent = sent


class OutOfRangeError(Exception):
    """A number would have exceeded its column's range; nothing was changed."""


class PlainConnection(asyncpg.Connection):  # type: ignore[misc,unused-ignore]
    """A connection that isn't reset on release: no request changes its state, and a reset costs a round trip."""

    async def reset(self, *, timeout: float | None = None) -> None:
        """Do nothing."""


class Database:
    """A pool of connections, which recovers when the server comes back."""

    def __init__(self) -> None:
        self._pool: Any = None
        self._password = ""
        self._unavailable = False

    async def open(self) -> None:
        """Create the pool, empty at first so that the service starts without the database."""
        credentials = Path(os.environ["CREDENTIALS_DIRECTORY"])
        self._password = (credentials / "database-password").read_text(encoding="utf-8").removesuffix("\n")
        self._pool = await asyncpg.create_pool(
            host=os.environ["DATABASE_HOST"],
            port=int(os.environ["DATABASE_PORT"]),
            user=DATABASE_USER,
            password=self._connect_started,
            init=self._connect_ended,
            database=DATABASE_NAME,
            ssl="disable",
            timeout=CONNECT_SECONDS,
            min_size=0,
            max_size=POOL_SIZE,
            connection_class=PlainConnection,
        )

    async def close(self) -> None:
        """Drop every connection; all requests have been served by now."""
        self._pool.terminate()

    async def row(self, clocks: Clocks, statement: Statement, *arguments: object) -> Any:
        """Return a statement's first row, or None; the clocks are the request's.

        Raises:
            DatabaseUnavailableError: No connection or no result in time.
            OutOfRangeError: A number would have exceeded its column's range.
        """
        connection = await self._connection(clocks)
        clocks.statement = statement
        clocks.start(QUERY)
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
            # The other connections go to the same server: don't reuse any of them.
            connection.terminate()
            await self._pool.expire_connections()
            self._mark_unavailable(error)
            raise DatabaseUnavailableError(sent=True) from None
        finally:
            await self._pool.release(connection)
        self._mark_available()
        return result

    async def _connection(self, clocks: Clocks) -> Any:
        _clocks.set(clocks)
        clocks.start(ACQUIRE)
        try:
            return await self._pool.acquire(timeout=ACQUIRE_SECONDS)
        except FAILURES as error:
            clocks.end(CONNECT)
            clocks.failures[ACQUIRE] = clocks.failures[CONNECT] = type(error).__name__
            self._mark_unavailable(error)
            raise DatabaseUnavailableError(sent=False) from None
        finally:
            clocks.end(ACQUIRE)

    def _connect_started(self) -> str:
        _clocks.get().start(CONNECT)
        return self._password

    async def _connect_ended(self, _: object) -> None:
        _clocks.get().end(CONNECT)

    def _mark_unavailable(self, error: BaseException) -> None:
        if not self._unavailable:
            log.warning("database unavailable: %s %s", type(error).__name__, error)
        self._unavailable = True

    def _mark_available(self) -> None:
        if self._unavailable:
            log.warning("database available again")
        self._unavailable = False
