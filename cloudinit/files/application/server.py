"""The application server: accounts and branches of the pgbench tables as JSON, with the time that each part took.

    GET  /api/v1/accounts/<aid>   one row by its key
    POST /api/v1/accounts/<aid>   {"delta": n}: pgbench's simple update, a balance and a line of history
    GET  /api/v1/branches/<bid>   the slow one: the sum over a branch's 100,000 accounts
    GET  /api/v1/storage          benchmark results of the database's disk, if it was benchmarked

Runs in the guest on the distribution's packages. Settings come from the environment: DATABASE_HOST and DATABASE_PORT;
DATABASE_PASSWORD and, if connections are encrypted, DATABASE_CERTIFICATE, files that it reads again on SIGHUP;
METRICS_PORT for metrics; TRACING_ENDPOINT and TRACING_SERVICE for traces. ATTRIBUTION=off turns off everything that
measures requests (clocks, Server-Timing, metrics, traces), to find out what it costs; the default is on.
"""

import asyncio
import contextlib
import json
import logging
import os
import signal
from collections.abc import AsyncIterator
from datetime import UTC, datetime

from starlette.applications import Starlette  # type: ignore[import-not-found,unused-ignore]
from starlette.exceptions import HTTPException  # type: ignore[import-not-found,unused-ignore]
from starlette.requests import Request  # type: ignore[import-not-found,unused-ignore]
from starlette.routing import Route  # type: ignore[import-not-found,unused-ignore]

from .clocks import QUERY, Clocks
from .constants import POOL_SIZE
from .database import Database, DatabaseUnavailableError, OutOfRangeError
from .lanes import ACCOUNT_CONNECTIONS, BRANCH_CONNECTIONS, Lanes
from .middleware import MeasurementMiddleware, attribution
from .responses import Response
from .statements import ACCOUNTS_A_BRANCH, ALIVE, BALANCE, BRANCH, CHANGE, STORAGE
from .validation import LARGEST_INTEGER, delta, identifier


class WithoutTraceback(logging.Filter):
    """Removes the traceback from uvicorn's message about invalid HTTP, which is the client's fault."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Remove the traceback, and keep the message."""
        if record.msg == "Invalid HTTP request received.":
            record.exc_info = None
        return True


logging.getLogger("uvicorn.error").addFilter(WithoutTraceback())
database = Database(POOL_SIZE)
readiness = Database(1)
lanes = Lanes()


async def account(request: Request) -> Response:
    """Respond with an account's balance, after changing it on POST."""
    aid = identifier(request.path_params["aid"], "account", LARGEST_INTEGER)
    clocks: Clocks = request.scope["measurement"].clocks
    if request.method == "POST":
        change = await delta(request)
        async with lanes.lane(aid, ACCOUNT_CONNECTIONS, clocks):
            found = await database.row(clocks, CHANGE, aid, change)
    else:
        found = await database.row(clocks, BALANCE, aid)
    if found is None:
        raise HTTPException(404, "no such account")
    return _balance(clocks, aid=aid, balance=found["abalance"])


async def branch(request: Request) -> Response:
    """Respond with the number of a branch's accounts and the sum of their balances."""
    bid = identifier(request.path_params["bid"], "branch", LARGEST_INTEGER // ACCOUNTS_A_BRANCH)
    clocks: Clocks = request.scope["measurement"].clocks
    async with lanes.lane(BRANCH, BRANCH_CONNECTIONS, clocks):
        found = await database.row(clocks, BRANCH, (bid - 1) * ACCOUNTS_A_BRANCH + 1, bid * ACCOUNTS_A_BRANCH)
    if not found["accounts"]:
        raise HTTPException(404, "no such branch")
    return _balance(clocks, bid=bid, accounts=found["accounts"], balance=found["balance"])


async def storage(request: Request) -> Response:
    """Respond with the newest benchmark results of the database's disk."""
    found = await database.row(request.scope["measurement"].clocks, STORAGE)
    if found is None:
        raise HTTPException(404, "no benchmark results: set database.fio.enabled in the stack's configuration")
    return Response(
        {"measured": _timestamp(found["measured"]), "seconds": found["seconds"], "jobs": json.loads(found["jobs"])}
    )


def _balance(clocks: Clocks, **values: int) -> Response:
    now = _timestamp(datetime.now(UTC))
    return Response({**values, "db_latency_ms": clocks.milliseconds(QUERY), "tier": "application", "timestamp": now})


def _timestamp(time: datetime) -> str:
    return time.isoformat(timespec="milliseconds").replace("+00:00", "Z")


async def health(_: Request) -> Response:
    """Respond that the server is alive, whether or not the database is."""
    return Response({"status": "alive"})


async def ready(request: Request) -> Response:
    """Respond that the server is ready, which needs the database but no connection of the pool."""
    await readiness.row(request.scope["measurement"].clocks, ALIVE)
    return Response({"status": "ready"})


async def http_error(_: Request, error: Exception) -> Response:
    """Respond with an HTTPException as JSON."""
    assert isinstance(error, HTTPException)  # noqa: S101
    return Response({"error": error.detail}, status_code=error.status_code, headers=error.headers)


async def unavailable(request: Request, error: Exception) -> Response:
    """Respond with 503, and suggest a retry unless a change may already have been made."""
    assert isinstance(error, DatabaseUnavailableError)  # noqa: S101
    if request.method == "POST" and error.in_doubt:
        return Response({"error": f"{error}: the change may have been made"}, status_code=503)
    return Response({"error": str(error)}, status_code=503, headers={"Retry-After": "1"})


async def out_of_range(_: Request, __: Exception) -> Response:
    """Respond with 409: the change is valid, but not for this balance."""
    return Response({"error": "the balance would no longer fit into 32 bits"}, status_code=409)


@contextlib.asynccontextmanager
async def lifespan(_: Starlette) -> AsyncIterator[None]:
    """Open the pools, start metrics and tracing where they are configured, and close both at the end."""
    reloads: set[asyncio.Task[None]] = set()

    def reload() -> None:
        for pool in (database, readiness):
            task = asyncio.ensure_future(pool.reload())
            reloads.add(task)
            task.add_done_callback(reloads.discard)

    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, reload)
    await asyncio.gather(database.open(), readiness.open())
    if attribution and (port := os.environ.get("METRICS_PORT")):
        from .metrics import Metrics

        application.metrics = Metrics(int(port))
    if attribution and (endpoint := os.environ.get("TRACING_ENDPOINT")):
        from .tracing import Tracing

        application.tracing = Tracing(endpoint, os.environ["TRACING_SERVICE"])
    yield
    await database.close()
    await readiness.close()
    if application.tracing:
        await asyncio.to_thread(application.tracing.close)


routes = [
    Route("/api/v1/accounts/{aid}", account, methods=["GET", "POST"]),
    Route("/api/v1/branches/{bid}", branch),
    Route("/api/v1/storage", storage),
    Route("/health", health),
    Route("/ready", ready),
]
service = Starlette(
    routes=routes,
    exception_handlers={
        HTTPException: http_error,
        DatabaseUnavailableError: unavailable,
        OutOfRangeError: out_of_range,
    },
    lifespan=lifespan,
)
service.router.redirect_slashes = False  # an unknown path is a 404, not a redirect
application = MeasurementMiddleware(service, {route.endpoint: route.path for route in routes})
