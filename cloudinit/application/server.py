"""The application tier: answers `GET /api/v1/accounts/<aid>` from the database, with the time each part took.

Runs in the guest on the distribution's packages; nothing here is templated. Settings come from the environment:
DATABASE_HOST and DATABASE_PORT; the password is systemd's credential `database-password`.
"""

import contextlib
import logging
import os
import re
import socket
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg  # type: ignore[import-not-found,unused-ignore]
from starlette.applications import Starlette  # type: ignore[import-not-found,unused-ignore]
from starlette.exceptions import HTTPException  # type: ignore[import-not-found,unused-ignore]
from starlette.requests import Request  # type: ignore[import-not-found,unused-ignore]
from starlette.responses import JSONResponse  # type: ignore[import-not-found,unused-ignore]
from starlette.routing import Route  # type: ignore[import-not-found,unused-ignore]
from starlette.types import ASGIApp, Message, Receive, Scope, Send  # type: ignore[import-not-found,unused-ignore]

POOL_SIZE = 10
CONNECT_SECONDS = 1.0
ACQUIRE_SECONDS = 2.0  # includes a connect
QUERY_SECONDS = 2.0
LARGEST_ACCOUNT = 2**31 - 1  # pgbench's aid is an int4

BALANCE = "SELECT abalance FROM pgbench_accounts WHERE aid = $1"
TRACEPARENT = re.compile(rb"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")

# Everything that asyncpg raises when the server is away, too slow or refusing; a name that doesn't resolve too.
FAILURES = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError)

log = logging.getLogger("uvicorn.error")


class DatabaseAwayError(Exception):
    """The database did not answer in time, or refused."""


class PlainConnection(asyncpg.Connection):  # type: ignore[misc,unused-ignore]
    """A connection that isn't reset on release: no request changes its state, and a reset is a round trip."""

    async def reset(self, *, timeout: float | None = None) -> None:
        """Leave the connection as it is."""


class Database:
    """Pooled connections that come and go with the server, and a clock for each part of a query."""

    def __init__(self) -> None:
        self._pool: Any = None
        self._away = False

    async def open(self) -> None:
        """Make the pool; with no connection at first, so that the service starts before the database does."""
        credentials = Path(os.environ["CREDENTIALS_DIRECTORY"])
        self._pool = await asyncpg.create_pool(
            host=os.environ["DATABASE_HOST"],
            port=int(os.environ["DATABASE_PORT"]),
            user="appuser",
            password=(credentials / "database-password").read_text(encoding="utf-8").removesuffix("\n"),
            database="appdb",
            ssl="disable",
            timeout=CONNECT_SECONDS,
            min_size=0,
            max_size=POOL_SIZE,
            connection_class=PlainConnection,
        )

    async def close(self) -> None:
        """Drop every connection at once: requests have been answered by now."""
        self._pool.terminate()

    async def value(self, timings: dict[str, float], query: str, *arguments: object) -> Any:
        """The first column of a query's first row, None where there is no row.

        Adds to timings, in seconds: `pool`, the wait for a connection, and `db`, the query itself.

        Raises:
            DatabaseAwayError: No connection, or no answer, in bounded time.
        """
        started = time.perf_counter()
        try:
            connection = await self._pool.acquire(timeout=ACQUIRE_SECONDS)
        except FAILURES as error:
            self._went_away(error)
            raise DatabaseAwayError from None
        finally:
            timings["pool"] = time.perf_counter() - started
        try:
            started = time.perf_counter()
            result = await connection.fetchval(query, *arguments, timeout=QUERY_SECONDS)
            timings["db"] = time.perf_counter() - started
        except FAILURES as error:
            # The other connections lead to the same place: none of them is used again.
            connection.terminate()
            await self._pool.expire_connections()
            self._went_away(error)
            raise DatabaseAwayError from None
        finally:
            await self._pool.release(connection)
        self._came_back()
        return result

    def _went_away(self, error: BaseException) -> None:
        if not self._away:
            log.warning("database away: %s %s", type(error).__name__, error)
        self._away = True

    def _came_back(self) -> None:
        if self._away:
            log.warning("database back")
        self._away = False


database = Database()


async def account(request: Request) -> JSONResponse:
    """One account's balance."""
    text = request.path_params["aid"].lstrip("0")
    if not (text.isascii() and text.isdigit()):
        raise HTTPException(400, "account id must be a positive integer")
    # By length first: Python refuses to convert a number of thousands of digits.
    if len(text) > len(str(LARGEST_ACCOUNT)) or int(text) > LARGEST_ACCOUNT:
        raise HTTPException(404, "no such account")
    aid = int(text)
    timings: dict[str, float] = request.scope["timings"]
    balance = await database.value(timings, BALANCE, aid)
    if balance is None:
        raise HTTPException(404, "no such account")
    return JSONResponse(
        {
            "aid": aid,
            "balance": balance,
            "db_latency_ms": round(timings["db"] * 1000, 3),
            "tier": "application",
            "timestamp": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        }
    )


async def health(_: Request) -> JSONResponse:
    """Alive, whatever the database does."""
    return JSONResponse({"status": "alive"})


async def ready(request: Request) -> JSONResponse:
    """Able to answer: the accounts can be read."""
    await database.value(request.scope["timings"], "SELECT 1")
    return JSONResponse({"status": "ready"})


async def refused(_: Request, error: Exception) -> JSONResponse:
    """An HTTPException as JSON."""
    assert isinstance(error, HTTPException)  # noqa: S101
    return JSONResponse({"error": error.detail}, status_code=error.status_code, headers=error.headers)


async def away(_: Request, __: Exception) -> JSONResponse:
    """503: try again."""
    return JSONResponse({"error": "database away"}, status_code=503, headers={"Retry-After": "1"})


class Measured:
    """Outermost layer: clocks the whole request, names the server, and answers 500 where all else failed."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.served_by = socket.gethostname().encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request (or pass on the lifespan protocol)."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = time.perf_counter()
        timings: dict[str, float] = {}
        scope["timings"] = timings
        answered = False

        async def send_measured(message: Message) -> None:
            nonlocal answered
            if message["type"] == "http.response.start":
                answered = True
                timings["app"] = time.perf_counter() - started
                message["headers"] = [*message.get("headers", []), *self._headers(scope, timings)]
            await send(message)

        try:
            await self.app(scope, receive, send_measured)
        except Exception:
            log.exception("request failed")
            if not answered:
                await JSONResponse({"error": "internal error"}, status_code=500)(scope, receive, send_measured)

    def _headers(self, scope: Scope, timings: dict[str, float]) -> list[tuple[bytes, bytes]]:
        measured = ", ".join(f"{part};dur={seconds * 1000:.3f}" for part, seconds in timings.items())
        headers = [(b"server-timing", measured.encode()), (b"x-served-by", self.served_by)]
        trace = dict(scope["headers"]).get(b"traceparent", b"")
        if TRACEPARENT.fullmatch(trace):
            headers.append((b"traceparent", trace))
        return headers


@contextlib.asynccontextmanager
async def lifespan(_: Starlette) -> AsyncIterator[None]:
    """The pool lives as long as the application."""
    await database.open()
    yield
    await database.close()


service = Starlette(
    routes=[
        Route("/api/v1/accounts/{aid}", account),
        Route("/health", health),
        Route("/ready", ready),
    ],
    exception_handlers={HTTPException: refused, DatabaseAwayError: away},
    lifespan=lifespan,
)
service.router.redirect_slashes = False  # an unknown path is a 404, not a redirect
application = Measured(service)
