"""What the application does when a statement fails, connections run out, or the database dies with requests in it."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.guest.guest_root import GuestRoot, Response
from tests.guest.guest_sql import drop_connections, locked_account, sql, until_waiting
from tests.guest.running_tiers import APPLICATION, DATABASE_HOST
from tests.guest.traced_tiers import guest_files, run_application
from tests.unit.cloudinit.guest_examples import application

MAYBE = {"error": "database unavailable: the change may have been made"}
JSON = ("--header", "Content-Type: application/json", "--data-binary")
TOO_LONG = {"error": "the statement took too long"}
POOL = 10
WAITING = 4
ACQUIRE_SECONDS = 2.0
PIDS = "SELECT pid FROM pg_stat_activity WHERE usename = 'appuser'"


@pytest.fixture
def change(tiers: GuestRoot) -> Callable[[int], Response]:
    """Add 1 to an account."""
    return lambda aid: tiers.get(f"{APPLICATION}/api/v1/accounts/{aid}", *JSON, '{"delta": 1}')


@pytest.fixture
def full_disk(tiers: GuestRoot) -> Iterator[None]:
    """Updates of account 400 fail as on a full disk."""
    sql(
        tiers,
        """CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN RAISE USING ERRCODE = '53100'; END $$;
        CREATE TRIGGER full_disk BEFORE UPDATE ON pgbench_accounts
            FOR EACH ROW WHEN (OLD.aid = 400) EXECUTE FUNCTION full_disk();""",
    )
    yield
    sql(tiers, "DROP FUNCTION full_disk CASCADE")


def test_all_connections_are_open_before_the_first_request(tiers: GuestRoot, tmp_path: Path) -> None:
    before = set(sql(tiers, PIDS).split())
    with ExitStack() as running:
        files = guest_files(application(database_host=DATABASE_HOST))
        run_application(running, tiers, files, 8281, tmp_path / "application")
        tiers.get_until("http://127.0.0.1:8281/health", 200)
        assert len(set(sql(tiers, PIDS).split()) - before) == POOL + 1, "and the one for readiness"


@pytest.mark.usefixtures("full_disk")
def test_a_failed_statement_is_503_and_keeps_every_connection(
    tiers: GuestRoot, change: Callable[[int], Response]
) -> None:
    with ThreadPoolExecutor(POOL) as threads:
        list(threads.map(change, range(500, 500 + 4 * POOL)))
    before = set(sql(tiers, PIDS).split())
    for _ in range(3):
        answer = change(400)
        assert (answer.status, answer.json) == (503, {"error": "the database refused the statement"})
        assert answer.headers["retry-after"] == "1"
        assert tiers.get(f"{APPLICATION}/api/v1/accounts/400").status == 200
    assert before <= set(sql(tiers, PIDS).split())


def test_a_request_without_a_free_connection_is_503_and_says_so(
    tiers: GuestRoot, change: Callable[[int], Response], tmp_path: Path
) -> None:
    accounts = 2 * POOL
    with (
        locked_account(tiers, 410, tmp_path / "lock", accounts=accounts),
        ThreadPoolExecutor(3 * POOL) as threads,
    ):
        first = [threads.submit(change, 410 + number) for number in range(POOL)]
        until_waiting(tiers, POOL)
        assert tiers.get(f"{APPLICATION}/ready").status == 200, "the database is ready, however busy its clients are"
        time.sleep(0.5)
        # When the first give up, some of these take their place, and half a second later the others give up.
        second = [threads.submit(change, 410 + number) for number in range(accounts)]
        answers = [each.result() for each in (*first, *second)]
    errors = Counter((answer.status, answer.json["error"]) for answer in answers)
    assert set(errors) == {(503, TOO_LONG["error"]), (503, "no free database connection")}
    assert errors[503, TOO_LONG["error"]] >= POOL
    assert {answer.headers["retry-after"] for answer in answers} == {"1"}


def test_a_lock_on_one_account_leaves_connections_for_the_others(
    tiers: GuestRoot, change: Callable[[int], Response], tmp_path: Path
) -> None:
    before = set(sql(tiers, PIDS).split())
    with locked_account(tiers, 404, tmp_path / "lock"), ThreadPoolExecutor(3 * POOL) as threads:
        waiting = [threads.submit(change, 404) for _ in range(3 * POOL)]
        until_waiting(tiers, 2)
        others = [change(aid) for aid in range(500, 500 + POOL)]
        others += [tiers.get(f"{APPLICATION}/api/v1/accounts/{aid}") for aid in range(404, 404 + POOL)]
        assert {answer.status for answer in others} == {200}
        waits = [float(answer.headers["server-timing"].split(";dur=")[1].split(",")[0]) for answer in others]
        assert max(waits) < 200
        refused = [each.result() for each in waiting]
    errors = Counter((answer.status, answer.json["error"]) for answer in refused)
    assert set(errors) == {(503, TOO_LONG["error"]), (503, "too many requests like this one are in progress")}
    assert before <= set(sql(tiers, PIDS).split())


def test_a_connect_that_a_request_cant_wait_for_serves_the_next_ones(tiers: GuestRoot) -> None:
    seconds = 3
    assert seconds > ACQUIRE_SECONDS
    sql(tiers, f"ALTER SYSTEM SET pre_auth_delay = {seconds}")
    sql(tiers, "SELECT pg_reload_conf()")
    try:
        drop_connections(tiers)
        first = tiers.get(f"{APPLICATION}/api/v1/accounts/1")
        assert (first.status, first.json) == (503, {"error": "database unavailable"})
        assert first.seconds < seconds
        answer = tiers.get_until(f"{APPLICATION}/api/v1/accounts/1", 200)
        assert answer.seconds < 1
        assert "connect;" not in answer.headers["server-timing"]
    finally:
        sql(tiers, "ALTER SYSTEM RESET pre_auth_delay")
        sql(tiers, "SELECT pg_reload_conf()")


def test_a_slow_statement_costs_no_connection(
    tiers: GuestRoot, change: Callable[[int], Response], tmp_path: Path
) -> None:
    before = set(sql(tiers, PIDS).split())
    with locked_account(tiers, 402, tmp_path / "lock"):
        answer = change(402)
        assert (answer.status, answer.json, answer.headers["retry-after"]) == (503, TOO_LONG, "1")
        assert sql(tiers, "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'") == "0"
    assert before <= set(sql(tiers, PIDS).split())
    assert tiers.get(f"{APPLICATION}/api/v1/accounts/402").json["balance"] == 0


@pytest.mark.parametrize("signal", ["TERM", "KILL"])
def test_a_database_that_dies_gives_declared_responses_only(
    tiers: GuestRoot, change: Callable[[int], Response], tmp_path: Path, signal: str
) -> None:
    with ThreadPoolExecutor(POOL) as threads:
        list(threads.map(change, range(500, 500 + 4 * POOL)))
    with locked_account(tiers, 440, tmp_path / "lock", accounts=POOL), ThreadPoolExecutor(POOL) as threads:
        waiting = [threads.submit(change, 440 + number) for number in range(WAITING)]
        until_waiting(tiers, WAITING)
        # KILL makes the server end all other connections and recover.
        pids = sql(tiers, PIDS).split()
        # One may have ended meanwhile.
        tiers.run("kill", f"-{signal}", *(pids if signal == "TERM" else pids[:1]), check=signal == "KILL")
        answers = [each.result() for each in waiting]
        assert [(answer.status, json.loads(answer.body)) for answer in answers] == [(503, MAYBE)] * (WAITING)
        deadline = time.monotonic() + 20
        while (answer := tiers.get(f"{APPLICATION}/api/v1/accounts/1")).status != 200:
            assert (answer.status, answer.json) == (503, {"error": "database unavailable"})
            assert time.monotonic() < deadline
            time.sleep(0.1)
        tiers.run("sh", "-c", "until setpriv --reuid postgres psql -Xqc '' postgres; do sleep 0.1; done 2>/dev/null")
