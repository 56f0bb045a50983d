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
import json
import logging
import os
import signal
from datetime import UTC, datetime

from .asgi import Application, Request, Route, attribution
from .clocks import QUERY, Clocks
from .constants import POOL_SIZE
from .database import Database, DatabaseUnavailableError, OutOfRangeError, credentials_written
from .lanes import ACCOUNT_CONNECTIONS, BRANCH_CONNECTIONS, Lanes
from .responses import Refusal, Response
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
    aid = identifier(request.argument, "account", LARGEST_INTEGER)
    clocks = request.clocks
    if request.method == "POST":
        change = await delta(request)
        async with lanes.lane(aid, ACCOUNT_CONNECTIONS, clocks):
            found = await database.row(clocks, CHANGE, aid, change)
    else:
        found = await database.row(clocks, BALANCE, aid)
    if found is None:
        raise Refusal(404, "no such account")
    return _balance(clocks, aid=aid, balance=found["abalance"])


async def branch(request: Request) -> Response:
    """Respond with the number of a branch's accounts and the sum of their balances."""
    bid = identifier(request.argument, "branch", LARGEST_INTEGER // ACCOUNTS_A_BRANCH)
    clocks = request.clocks
    async with lanes.lane(BRANCH, BRANCH_CONNECTIONS, clocks):
        found = await database.row(clocks, BRANCH, (bid - 1) * ACCOUNTS_A_BRANCH + 1, bid * ACCOUNTS_A_BRANCH)
    if not found["accounts"]:
        raise Refusal(404, "no such branch")
    return _balance(clocks, bid=bid, accounts=found["accounts"], balance=found["balance"])


async def storage(request: Request) -> Response:
    """Respond with the newest benchmark results of the database's disk."""
    found = await database.row(request.clocks, STORAGE)
    if found is None:
        raise Refusal(404, "no benchmark results: set database.fio.enabled in the stack's configuration")
    return Response(
        {"measured": _timestamp(found["measured"]), "seconds": found["seconds"], "jobs": json.loads(found["jobs"])}
    )


def _balance(clocks: Clocks, **values: int) -> Response:
    # Written out: an encoder takes several times as long, and there is nothing to escape.
    numbers = "".join(f'"{name}":{value},' for name, value in values.items())
    latency, now = clocks.milliseconds(QUERY), _timestamp(datetime.now(UTC))
    text = f'{{{numbers}"db_latency_ms":{latency},"tier":"application","timestamp":"{now}"}}'
    return Response(text.encode("ascii"))


def _timestamp(time: datetime) -> str:
    return time.isoformat(timespec="milliseconds").replace("+00:00", "Z")


async def health(_: Request) -> Response:
    """Respond that the server is alive, whether or not the database is."""
    return Response({"status": "alive"})


async def ready(request: Request) -> Response:
    """Respond that the server is ready, which needs the database but no connection of the pool."""
    await readiness.row(request.clocks, ALIVE)
    return Response({"status": "ready"})


def unavailable(request: Request, error: DatabaseUnavailableError) -> Response:
    """Respond with 503, and suggest a retry unless a change may already have been made."""
    if request.method == "POST" and error.in_doubt:
        return Response({"error": f"{error}: the change may have been made"}, 503)
    return Response({"error": str(error)}, 503, {"Retry-After": "1"})


def out_of_range(_: Request, __: OutOfRangeError) -> Response:
    """Respond with 409: the change is valid, but not for this balance."""
    return Response({"error": "the balance would no longer fit into 32 bits"}, 409)


def reload() -> None:
    """Read the database's credentials again."""
    database.reload()
    readiness.reload()


async def start() -> None:
    """Wait for the credentials, open the pools, and start metrics and tracing where they are configured."""
    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, reload)
    await credentials_written()
    await asyncio.gather(database.open(), readiness.open())
    if attribution and (port := os.environ.get("METRICS_PORT")):
        from .metrics import Metrics

        application.metrics = Metrics(int(port))
    if attribution and (endpoint := os.environ.get("TRACING_ENDPOINT")):
        from .tracing import Tracing

        application.tracing = Tracing(endpoint, os.environ["TRACING_SERVICE"])


async def stop() -> None:
    """Close the pools, and send the last spans."""
    database.close()
    readiness.close()
    if application.tracing:
        await asyncio.to_thread(application.tracing.close)


application = Application(
    [
        Route("/api/v1/accounts/{aid}", account, ("GET", "HEAD", "POST")),
        Route("/api/v1/branches/{bid}", branch),
        Route("/api/v1/storage", storage),
        Route("/health", health, probe=True),
        Route("/ready", ready, probe=True),
    ],
    {DatabaseUnavailableError: unavailable, OutOfRangeError: out_of_range},
    start,
    stop,
)
