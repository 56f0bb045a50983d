"""More requests than the tiers can serve: what is refused is refused at once, and what is served goes on."""

from __future__ import annotations

import contextlib
import json
import re
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from cloudinit.constants import APPLICATION_PORT, POOL_SIZE, WEB_PORT
from tests.guest import open_loop
from tests.guest.guest_root import GuestRoot
from tests.guest.guest_sql import drop_connections, sql
from tests.guest.running_tiers import APPLICATION, WEB

STATEMENT_SECONDS = 0.25
CAPACITY = POOL_SIZE / STATEMENT_SECONDS  # responses per second
MOST_IN_PROGRESS = 1024  # of nginx
READ_TIMEOUT = 8.0  # of nginx
ERROR_LOG = "/var/log/nginx/error.log"

Responses = dict[str, dict[str, Any]]


def load(tiers: GuestRoot, port: int, path: str, rate: float, seconds: float) -> Responses:
    """Send requests at a rate, and return what the responses were."""
    tiers.write("/opt/test/open_loop.py", Path(open_loop.__file__).read_text())
    command = f"ulimit -n 20000; exec python3 /opt/test/open_loop.py {port} '{path}' {rate} {seconds}"
    found: Responses = json.loads(tiers.run("sh", "-c", command, seconds=seconds + 30))
    return found


@pytest.fixture
def slow_database(tiers: GuestRoot) -> Iterator[None]:
    """Every statement about an account takes a quarter of a second, and next to no processor time."""
    sql(
        tiers,
        f"""ALTER TABLE pgbench_accounts RENAME TO quick_accounts;
        CREATE VIEW pgbench_accounts AS SELECT quick_accounts.*
            FROM (SELECT pg_sleep({STATEMENT_SECONDS}) OFFSET 0) AS slow, quick_accounts;
        GRANT SELECT ON pgbench_accounts TO PUBLIC;""",  # noqa: S608 a constant
    )
    drop_connections(tiers)  # their prepared statements are about the table
    yield
    sql(tiers, "DROP VIEW pgbench_accounts; ALTER TABLE quick_accounts RENAME TO pgbench_accounts;")
    drop_connections(tiers)


@contextlib.contextmanager
def frozen_application(tiers: GuestRoot) -> Iterator[None]:
    """The application's process is stopped, as if its machine hung."""
    process = tiers.run("pgrep", "-f", "uvicorn [a]pplication").split()
    tiers.run("kill", f"-{signal.SIGSTOP}", *process)
    try:
        yield
    finally:
        tiers.run("kill", f"-{signal.SIGCONT}", *process)


@pytest.mark.usefixtures("slow_database")
@pytest.mark.parametrize("port", [WEB_PORT, APPLICATION_PORT], ids=["web", "application"])
def test_ten_times_the_capacity_is_refused_at_once_and_leaves_nothing_behind(tiers: GuestRoot, port: int) -> None:
    seconds = 30.0
    logged = len(tiers.read(ERROR_LOG))
    with ThreadPoolExecutor() as threads:
        loading = threads.submit(load, tiers, port, "/api/v1/accounts/#", 10 * CAPACITY, seconds)
        time.sleep(seconds / 2)
        assert tiers.get(f"{APPLICATION}/ready").status == 200, "the machine stays in its Service"
        assert tiers.get(f"{WEB}/health").status == 200
        found = loading.result()
    assert set(found) == {"200", "503"}, found
    assert found["200"]["responses"] > 0.25 * CAPACITY * seconds, found  # nearly all, on an idle machine
    assert found["503"]["retry_after"] == found["503"]["responses"], found
    assert found["503"]["median"] < found["200"]["median"], found
    tiers.get_until(f"{WEB}/api/v1/accounts/1", 200, seconds=5)
    said = tiers.read(ERROR_LOG)[logged:]
    assert not re.search(r"\[(alert|crit|emerg)\]|open files|connections are not enough", said)


def test_a_frozen_application_holds_only_so_many_requests_and_is_reported_in_time(tiers: GuestRoot) -> None:
    more = 200
    with frozen_application(tiers), ThreadPoolExecutor() as threads:
        started = time.monotonic()
        loading = threads.submit(load, tiers, WEB_PORT, "/api/v1/accounts/#", MOST_IN_PROGRESS + more, 1.0)
        time.sleep(1)
        assert tiers.get(f"{WEB}/health").status == 200
        found = loading.result()
        assert time.monotonic() - started < 2 * READ_TIMEOUT
    assert {status: each["responses"] for status, each in found.items()} == {"504": MOST_IN_PROGRESS, "503": more}
    assert found["503"]["longest"] < READ_TIMEOUT / 2 < found["504"]["longest"]
    assert found["503"]["retry_after"] == more
    tiers.get_until(f"{WEB}/api/v1/accounts/1", 200, seconds=5)


def test_the_database_killed_under_load_gives_declared_responses_only(tiers: GuestRoot) -> None:
    with ThreadPoolExecutor() as threads:
        loading = threads.submit(load, tiers, APPLICATION_PORT, "/api/v1/accounts/#", 100.0, 8.0)
        for _ in range(3):
            time.sleep(2)
            # The server ends all other connections and recovers.
            tiers.run("sh", "-c", "until pkill -KILL -n -f '^postgres: .*appuser'; do sleep 0.1; done")
        found = loading.result()
    assert set(found) == {"200", "503"}, found
