"""The running tiers' database, accessed as its administrator and past the application."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from cloudinit.constants import DATABASE_NAME, DATABASE_USER
from tests.guest.guest_root import GuestRoot
from tests.guest.running_tiers import AS_POSTGRES

_PSQL = (
    *AS_POSTGRES.split(),
    "psql",
    "--no-psqlrc",
    "--quiet",
    "--tuples-only",
    "--no-align",
    f"--dbname={DATABASE_NAME}",
)

_LOCK = (
    "BEGIN; SELECT FROM pgbench_accounts WHERE aid BETWEEN :aid AND :last FOR UPDATE; SELECT pg_sleep(30) AS locking;"
)
_UNLOCK = """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE query LIKE '%AS locking%' AND pid <> pg_backend_pid()"""
_WAITING = f"SELECT count(*) FROM pg_stat_activity WHERE usename = '{DATABASE_USER}' AND wait_event_type = 'Lock'"  # noqa: S608 a constant
_FREE = "SELECT aid FROM pgbench_accounts WHERE aid = :aid FOR UPDATE SKIP LOCKED"


def sql(tiers: GuestRoot, query: str, **values: object) -> str:
    """Return the result of a query, in which `:name` stands for a value."""
    return tiers.run(*_PSQL, *_settings(values), "--file=-", stdin=query).strip()


def drop_connections(tiers: GuestRoot) -> None:
    """Close every connection of the application, and give it time to notice."""
    sql(tiers, f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{DATABASE_USER}'")  # noqa: S608 a constant
    time.sleep(0.1)


@contextmanager
def locked_account(tiers: GuestRoot, aid: int, log: Path, *, accounts: int = 1) -> Iterator[None]:
    """Lock the rows of accounts from one on, so that updates of them wait in the database."""
    tiers.write("/opt/test/lock.sql", _LOCK)
    with tiers.running(
        *_PSQL, f"--set=aid={aid}", f"--set=last={aid + accounts - 1}", "--file=/opt/test/lock.sql", log=log
    ):
        _until(lambda: not sql(tiers, _FREE, aid=aid))
        try:
            yield
        finally:
            sql(tiers, _UNLOCK)


def until_waiting(tiers: GuestRoot, changes: int) -> None:
    """Wait until this many updates wait for a lock."""
    _until(lambda: sql(tiers, _WAITING) == str(changes))


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline, "the condition was not met within 10 s"
        time.sleep(0.01)


def _settings(values: dict[str, object]) -> list[str]:
    return [f"--set={name}={value}" for name, value in values.items()]
