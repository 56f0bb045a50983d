"""The application's database client: pooled connections, and clocks around each part of a query."""

import asyncio
import contextlib
import logging
import os
import ssl
import statistics
import time
from collections import deque
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import asyncpg  # type: ignore[import-not-found,unused-ignore]

from .clocks import ACQUIRE, CONNECT, QUERY, Clocks, StoppedClocks
from .constants import DATABASE_NAME, DATABASE_USER
from .statements import Statement

ACQUIRE_SECONDS = 2.0  # includes a connect, if that is quicker
CONNECT_SECONDS = 15.0  # goes on without the request: a connect may take seconds, for example on emulated CPUs
STATEMENT_SECONDS = 2  # after which the server itself ends the statement, and the connection stays
QUERY_SECONDS = 2.5  # for a server that doesn't respond at all
RELEASE_SECONDS = 0.5  # for closing a connection that has expired

LONGEST_EXPECTED_WAIT = 1.5  # seconds; a request that would wait longer is refused at once
RECENT_STATEMENTS = 50

REFUSAL_LOG_SECONDS = 10.0

# What asyncpg raises when a connection is lost or its server too slow; also a name that doesn't resolve.
CONNECTION_FAILURES = (
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.PostgresConnectionError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.CannotConnectNowError,
)

log = logging.getLogger("uvicorn.error")


class _Acquisition:
    """The wait of one request for a connection."""

    def __init__(self, clocks: Clocks) -> None:
        self.clocks = clocks
        self.password = ""
        self.began = time.monotonic()
        self.connect_began: float | None = None

    @property
    def queued(self) -> bool:
        """Whether the request waited for other requests so long that no time was left for a connect of its own."""
        return self.connect_began is None or self.connect_began - self.began > ACQUIRE_SECONDS / 2


# The request that a connect is for: asyncpg passes its callbacks nothing, but runs them in a copy of its context.
_acquisition: ContextVar[_Acquisition] = ContextVar("acquisition")


class DatabaseUnavailableError(Exception):
    """The database did not respond in time, or refused.

    Args:
        reason: What is wrong, in words.
        in_doubt: Whether the statement may or may not have taken effect.
    """

    def __init__(self, reason: str = "database unavailable", *, in_doubt: bool = False) -> None:
        super().__init__(reason)
        self.in_doubt = in_doubt


class OutOfRangeError(Exception):
    """A number would have exceeded its column's range; nothing was changed."""


class PlainConnection(asyncpg.Connection):  # type: ignore[misc,unused-ignore]
    """A connection that isn't reset on release: no request changes its state, and a reset costs a round trip."""

    async def reset(self, *, timeout: float | None = None) -> None:
        """Do nothing."""


class Database:
    """A pool of connections, which recovers when the server comes back.

    Args:
        connections: The most that it opens.
    """

    def __init__(self, connections: int) -> None:
        self._connections = connections
        self._pool: Any = None
        self._passwords: tuple[str, ...] = ()
        self._unavailable = False
        self._background: set[asyncio.Future[Any]] = set()
        self._refusal_logged = -REFUSAL_LOG_SECONDS
        self._waiting = 0
        self._recent: deque[float] = deque(maxlen=RECENT_STATEMENTS)

    async def open(self) -> None:
        """Create the pool and fill it, if the database accepts connections."""
        self._passwords = (_password(),)
        self._pool = await asyncpg.create_pool(
            **self._connect_arguments(),
            init=self._connect_ended,
            min_size=0,
            max_size=self._connections,
            max_inactive_connection_lifetime=0,
            connection_class=PlainConnection,
        )
        await self._fill()

    async def reload(self) -> None:
        """Read the credentials again. Every connection is replaced by one with the new ones before its next use."""
        try:
            password, arguments = _password(), self._connect_arguments()
        except OSError as error:
            log.warning("the database's credentials can't be read, the former ones stay: %s", error)
            return
        # The server may not know the new password yet.
        self._passwords = (password, *[one for one in self._passwords if one != password][:1])
        self._pool.set_connect_args(**arguments)
        await self._pool.expire_connections()
        log.warning("read the database's credentials again")

    def _connect_arguments(self) -> dict[str, Any]:
        return {
            "host": os.environ["DATABASE_HOST"],
            "port": int(os.environ["DATABASE_PORT"]),
            "user": DATABASE_USER,
            "password": self._connect_started,
            "database": DATABASE_NAME,
            "ssl": _trust(),
            "timeout": CONNECT_SECONDS,
            "server_settings": {"statement_timeout": f"{STATEMENT_SECONDS}s"},
        }

    async def _fill(self) -> None:
        """Connect before there are requests, which would all connect at once and wait for it.

        Without the database, the service starts too, and the requests connect.
        """
        acquisition = _Acquisition(StoppedClocks())
        _acquisition.set(acquisition)
        connections: list[Any] = []
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                while len(connections) < self._connections:
                    connections.append(await self._acquire(acquisition))
        except (*CONNECTION_FAILURES, asyncpg.PostgresError) as error:
            self._mark_unavailable(error)
        for connection in connections:
            await self._release(connection)

    async def close(self) -> None:
        """Drop every connection; all requests have been served by now."""
        self._pool.terminate()

    async def row(self, clocks: Clocks, statement: Statement, *arguments: object) -> Any:
        """Return a statement's first row, or None; the clocks are the request's.

        Raises:
            DatabaseUnavailableError: No connection or no result in time, or the database refused the statement.
            OutOfRangeError: A number would have exceeded its column's range.
        """
        connection = await self._connection(clocks)
        clocks.statement = statement
        began = time.monotonic()
        clocks.start(QUERY)
        try:
            try:
                result = await connection.fetchrow(statement.text, *arguments, timeout=QUERY_SECONDS)
            finally:
                clocks.end(QUERY)
        except asyncpg.NumericValueOutOfRangeError as error:
            clocks.failures[QUERY] = type(error).__name__
            raise OutOfRangeError from None
        except CONNECTION_FAILURES as error:
            clocks.failures[QUERY] = type(error).__name__
            with contextlib.suppress(asyncpg.InterfaceError):  # the pool has dropped a lost connection already
                connection.terminate()
            if not isinstance(error, TimeoutError):
                # The other connections go to the same server, which is gone. A slow statement says nothing about them.
                await self._pool.expire_connections()
            self._mark_unavailable(error)
            raise DatabaseUnavailableError(in_doubt=True) from None
        except asyncpg.PostgresError as error:
            clocks.failures[QUERY] = type(error).__name__
            self._log_refusal(error)
            took_long = isinstance(error, asyncpg.QueryCanceledError)
            reason = "the statement took too long" if took_long else "the database refused the statement"
            raise DatabaseUnavailableError(reason) from None
        finally:
            self._recent.append(time.monotonic() - began)
            await self._release(connection)
        self._mark_available()
        return result

    async def _release(self, connection: Any) -> None:
        with contextlib.suppress(
            *CONNECTION_FAILURES
        ):  # the pool has dropped it, or does if it can't be closed in time
            await self._pool.release(connection, timeout=RELEASE_SECONDS)

    async def _connection(self, clocks: Clocks) -> Any:
        acquisition = _Acquisition(clocks)
        _acquisition.set(acquisition)
        clocks.start(ACQUIRE)
        if self._expected_wait() > LONGEST_EXPECTED_WAIT:
            clocks.end(ACQUIRE)
            clocks.failures[ACQUIRE] = "TimeoutError"
            raise DatabaseUnavailableError("no free database connection")
        self._waiting += 1
        try:
            return await self._acquired(acquisition)
        except (*CONNECTION_FAILURES, asyncpg.PostgresError) as error:
            clocks.end(CONNECT)
            clocks.failures[ACQUIRE] = clocks.failures[CONNECT] = type(error).__name__
            if isinstance(error, TimeoutError) and acquisition.queued and self._pool.get_size():
                raise DatabaseUnavailableError("no free database connection") from None
            self._mark_unavailable(error)
            raise DatabaseUnavailableError from None
        finally:
            self._waiting -= 1
            clocks.end(ACQUIRE)

    def _expected_wait(self) -> float:
        """Return how long one more request would wait for a connection, by what statements take usually."""
        if self._waiting < self._connections or not self._recent:
            return 0.0
        return self._waiting * statistics.median(self._recent) / self._connections

    async def _acquired(self, acquisition: _Acquisition) -> Any:
        """Return a connection for a request.

        Raises:
            TimeoutError: There is none yet.
        """
        acquiring = asyncio.ensure_future(self._acquire(acquisition))
        done, _ = await asyncio.wait((acquiring,), timeout=ACQUIRE_SECONDS)
        if done:
            return acquiring.result()
        if acquisition.connect_began is None:  # other requests have all connections
            acquiring.cancel()
        self._background.add(acquiring)
        acquiring.add_done_callback(self._give_back)
        raise TimeoutError

    async def _acquire(self, acquisition: _Acquisition) -> Any:
        """Return a connection, made with the former password if the server doesn't take the new one."""
        newest, *former = self._passwords
        acquisition.password = newest
        for password in former:
            with contextlib.suppress(asyncpg.InvalidPasswordError):
                return await self._pool.acquire()
            acquisition.password = password
        return await self._pool.acquire()

    def _give_back(self, acquired: asyncio.Future[Any]) -> None:
        """Give a connection that its request didn't wait for to those that come."""
        self._background.discard(acquired)
        if acquired.cancelled():
            return
        if error := acquired.exception():
            self._mark_unavailable(error)
            return
        releasing = asyncio.ensure_future(self._release(acquired.result()))
        self._background.add(releasing)
        releasing.add_done_callback(self._background.discard)

    def _connect_started(self) -> str:
        acquisition = _acquisition.get()
        acquisition.connect_began = acquisition.connect_began or time.monotonic()
        acquisition.clocks.start(CONNECT)
        return acquisition.password

    async def _connect_ended(self, _: object) -> None:
        _acquisition.get().clocks.end(CONNECT)

    def _log_refusal(self, error: asyncpg.PostgresError) -> None:
        now = time.monotonic()
        if now - self._refusal_logged > REFUSAL_LOG_SECONDS:
            log.warning("the database refused a statement: %s %s", type(error).__name__, error)
            self._refusal_logged = now

    def _mark_unavailable(self, error: BaseException) -> None:
        if not self._unavailable:
            log.warning("database unavailable: %s %s", type(error).__name__, error)
        self._unavailable = True

    def _mark_available(self) -> None:
        if self._unavailable:
            log.warning("database available again")
        self._unavailable = False


def _password() -> str:
    return Path(os.environ["DATABASE_PASSWORD"]).read_text(encoding="utf-8")


def _trust() -> ssl.SSLContext | str:
    """Return what to trust: the database's own certificate, and no authority."""
    certificate = os.environ.get("DATABASE_CERTIFICATE")
    if not certificate:
        return "disable"
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_verify_locations(certificate)
    return context
