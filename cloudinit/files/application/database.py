"""The application's database client: pooled connections, and clocks around each part of a query."""

import asyncio
import contextlib
import logging
import os
import ssl
import statistics
import time
from collections import deque
from pathlib import Path
from typing import Any

import asyncpg  # type: ignore[import-not-found,unused-ignore]

from .clocks import ACQUIRE, CONNECT, QUERY, Clocks, StoppedClocks
from .constants import DATABASE_NAME, DATABASE_USER
from .pool import ExhaustedError, Pool
from .statements import Statement

ACQUIRE_SECONDS = 2.0  # includes a connect, if that is quicker
CONNECT_SECONDS = 15.0  # goes on without the request: a connect may take seconds, for example on emulated CPUs
STATEMENT_SECONDS = 2  # after which the server itself ends the statement, and the connection stays
QUERY_SECONDS = 2.5  # for a server that doesn't respond at all

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


class Database:
    """A pool of connections, which recovers when the server comes back.

    Args:
        connections: The most that it opens.
    """

    def __init__(self, connections: int) -> None:
        self._connections = connections
        self._pool = Pool(connections, self._connect, self._mark_unavailable)
        self._passwords: tuple[str, ...] = ()
        self._arguments: dict[str, Any] = {}
        self._unavailable = False
        self._refusal_logged = -REFUSAL_LOG_SECONDS
        self._waiting = 0
        self._recent: deque[float] = deque(maxlen=RECENT_STATEMENTS)

    async def open(self) -> None:
        """Fill the pool, if the database accepts connections.

        Requests would otherwise all connect at once and wait for it. Without the database, the service starts too, and
        the requests connect.
        """
        self._passwords, self._arguments = (_password(),), _connect_arguments()
        connections: list[Any] = []
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                while len(connections) < self._connections:
                    connections.append(await self._pool.wait(StoppedClocks(), CONNECT_SECONDS))
        except (*CONNECTION_FAILURES, asyncpg.PostgresError) as error:
            self._mark_unavailable(error)
        for connection in connections:
            self._pool.give_back(connection)

    def reload(self) -> None:
        """Read the credentials again. Every connection is replaced by one with the new ones before its next use."""
        try:
            password, arguments = _password(), _connect_arguments()
        except OSError as error:
            log.warning("the database's credentials can't be read, the former ones stay: %s", error)
            return
        former = [one for one in self._passwords if one != password][:1]
        # The server may not take the new password yet, or begin to while the former one is tried.
        self._passwords = (password, *former, password) if former else (password,)
        self._arguments = arguments
        self._pool.expire()
        log.warning("read the database's credentials again")

    def close(self) -> None:
        """Drop every connection; all requests have been served by now."""
        self._pool.expire()

    async def row(self, clocks: Clocks, statement: Statement, *arguments: object) -> Any:
        """Return a statement's first row, or None; the clocks are the request's.

        Raises:
            DatabaseUnavailableError: No connection or no result in time, or the database refused the statement.
            OutOfRangeError: A number would have exceeded its column's range.
        """
        clocks.start(ACQUIRE)
        connection = self._pool.take() or await self._wait(clocks)
        clocks.end(ACQUIRE)
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
            connection.terminate()
            if not isinstance(error, TimeoutError):
                # The other connections go to the same server, which is gone. A slow statement says nothing about them.
                self._pool.expire()
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
            self._pool.give_back(connection)
        self._mark_available()
        return result

    async def _wait(self, clocks: Clocks) -> Any:
        """Return a connection from the pool, which has none that is idle.

        Raises:
            DatabaseUnavailableError: No connection was free in time.
        """
        if self._expected_wait() > LONGEST_EXPECTED_WAIT:
            clocks.end(ACQUIRE)
            clocks.failures[ACQUIRE] = "TimeoutError"
            raise DatabaseUnavailableError("no free database connection")
        self._waiting += 1
        try:
            return await self._pool.wait(clocks, ACQUIRE_SECONDS)
        except (*CONNECTION_FAILURES, asyncpg.PostgresError) as error:
            clocks.end(CONNECT)
            name = "TimeoutError" if isinstance(error, TimeoutError) else type(error).__name__
            clocks.failures[ACQUIRE] = clocks.failures[CONNECT] = name
            if isinstance(error, ExhaustedError) and self._pool.connected:
                raise DatabaseUnavailableError("no free database connection") from None
            self._mark_unavailable(error)
            raise DatabaseUnavailableError from None
        finally:
            self._waiting -= 1
            clocks.end(ACQUIRE)

    async def _connect(self) -> Any:
        """Return a new connection, made with the first password that the server takes."""
        *first, last = self._passwords
        for password in first:
            with contextlib.suppress(asyncpg.InvalidPasswordError):
                return await asyncpg.connect(password=password, **self._arguments)
        return await asyncpg.connect(password=last, **self._arguments)

    def _expected_wait(self) -> float:
        """Return how long one more request would wait for a connection, by what statements take usually."""
        if self._waiting < self._connections or not self._recent:
            return 0.0
        return self._waiting * statistics.median(self._recent) / self._connections

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


def _connect_arguments() -> dict[str, Any]:
    return {
        "host": os.environ["DATABASE_HOST"],
        "port": int(os.environ["DATABASE_PORT"]),
        "user": DATABASE_USER,
        "database": DATABASE_NAME,
        "ssl": _trust(),
        "timeout": CONNECT_SECONDS,
        "server_settings": {"statement_timeout": f"{STATEMENT_SECONDS}s"},
    }


async def credentials_written() -> None:
    """Wait until every file with credentials is there: virtwork-credentials starts at the same time."""
    paths = [Path(os.environ[name]) for name in ("DATABASE_PASSWORD", "DATABASE_CERTIFICATE") if os.environ.get(name)]
    while not all(path.exists() for path in paths):
        await asyncio.sleep(0.02)


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
