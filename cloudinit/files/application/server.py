"""The application tier: accounts and branches of the pgbench tables as JSON, with the time that each part took.

    GET  /api/v1/accounts/<aid>   one row by its key
    POST /api/v1/accounts/<aid>   {"delta": n}: pgbench's simple update, a balance and a line of history
    GET  /api/v1/branches/<bid>   the slow one: the sum over a branch's 100,000 accounts
    GET  /api/v1/storage          what the database's disk was measured to do, if it was

Runs in the guest on the distribution's packages; nothing here is templated. Settings come from the environment:
DATABASE_HOST and DATABASE_PORT; METRICS_PORT for metrics; TRACING_ENDPOINT and TRACING_SERVICE for traces. The
password is systemd's credential `database-password`.
"""

import asyncio
import contextlib
import json
import logging
import os
from collections.abc import AsyncIterator
from datetime import UTC, datetime

from starlette.applications import Starlette  # type: ignore[import-not-found,unused-ignore]
from starlette.exceptions import HTTPException  # type: ignore[import-not-found,unused-ignore]
from starlette.requests import Request  # type: ignore[import-not-found,unused-ignore]
from starlette.routing import Route  # type: ignore[import-not-found,unused-ignore]

from .answers import Answer
from .clocks import QUERY, Clocks
from .database import Database, DatabaseAwayError, OutOfRangeError
from .inputs import LARGEST_INTEGER, delta, identifier
from .measured import Measured
from .statements import ACCOUNTS_A_BRANCH, ALIVE, BALANCE, BRANCH, CHANGE, STORAGE


class WithoutTraceback(logging.Filter):
    """Bytes that aren't HTTP are the client's fault: where in uvicorn it noticed helps nobody."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Keep the line, and nothing below it."""
        if record.msg == "Invalid HTTP request received.":
            record.exc_info = None
        return True


logging.getLogger("uvicorn.error").addFilter(WithoutTraceback())
database = Database()


async def account(request: Request) -> Answer:
    """One account's balance, after a change where one is asked for."""
    aid = identifier(request.path_params["aid"], "account", LARGEST_INTEGER)
    clocks: Clocks = request.scope["measured"].clocks
    if request.method == "POST":
        found = await database.row(clocks, CHANGE, aid, await delta(request))
    else:
        found = await database.row(clocks, BALANCE, aid)
    if found is None:
        raise HTTPException(404, "no such account")
    return _answer(clocks, aid=aid, balance=found["abalance"])


async def branch(request: Request) -> Answer:
    """One branch's accounts and the sum of their balances."""
    bid = identifier(request.path_params["bid"], "branch", LARGEST_INTEGER // ACCOUNTS_A_BRANCH)
    clocks: Clocks = request.scope["measured"].clocks
    found = await database.row(clocks, BRANCH, (bid - 1) * ACCOUNTS_A_BRANCH + 1, bid * ACCOUNTS_A_BRANCH)
    if not found["accounts"]:
        raise HTTPException(404, "no such branch")
    return _answer(clocks, bid=bid, accounts=found["accounts"], balance=found["balance"])


async def storage(request: Request) -> Answer:
    """The newest figures of the database's disk."""
    found = await database.row(request.scope["measured"].clocks, STORAGE)
    if found is None:
        raise HTTPException(404, "no figures: database.fio.enabled has them measured")
    measured = _stamp(found["measured"])
    return Answer({"measured": measured, "seconds": found["seconds"], "jobs": json.loads(found["jobs"])})


def _answer(clocks: Clocks, **values: int) -> Answer:
    now = _stamp(datetime.now(UTC))
    return Answer({**values, "db_latency_ms": clocks.milliseconds(QUERY), "tier": "application", "timestamp": now})


def _stamp(time: datetime) -> str:
    return time.isoformat(timespec="milliseconds").replace("+00:00", "Z")


async def health(_: Request) -> Answer:
    """Alive, whatever the database does."""
    return Answer({"status": "alive"})


async def ready(request: Request) -> Answer:
    """Able to answer: the database does."""
    await database.row(request.scope["measured"].clocks, ALIVE)
    return Answer({"status": "ready"})


async def refused(_: Request, error: Exception) -> Answer:
    """An HTTPException as JSON."""
    assert isinstance(error, HTTPException)  # noqa: S101
    return Answer({"error": error.detail}, status_code=error.status_code, headers=error.headers)


async def away(request: Request, error: Exception) -> Answer:
    """503: try again, but for a change that may have been made already."""
    assert isinstance(error, DatabaseAwayError)  # noqa: S101
    if request.method == "POST" and error.asked:
        words = "database away: whether the change was made is not known"
        return Answer({"error": words}, status_code=503)
    return Answer({"error": "database away"}, status_code=503, headers={"Retry-After": "1"})


async def out_of_range(_: Request, __: Exception) -> Answer:
    """409: the change is well-formed, but not for this balance."""
    return Answer({"error": "the balance would no longer fit into 32 bits"}, status_code=409)


@contextlib.asynccontextmanager
async def lifespan(_: Starlette) -> AsyncIterator[None]:
    """The pool lives as long as the application, and so do metrics and tracing where they are wanted."""
    await database.open()
    if port := os.environ.get("METRICS_PORT"):
        from .metrics import Metrics

        application.metrics = Metrics(int(port))
    if endpoint := os.environ.get("TRACING_ENDPOINT"):
        from .tracing import Tracing

        application.tracing = Tracing(endpoint, os.environ["TRACING_SERVICE"])
    yield
    await database.close()
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
    exception_handlers={HTTPException: refused, DatabaseAwayError: away, OutOfRangeError: out_of_range},
    lifespan=lifespan,
)
service.router.redirect_slashes = False  # an unknown path is a 404, not a redirect
application = Measured(service, {route.endpoint: route.path for route in routes})
