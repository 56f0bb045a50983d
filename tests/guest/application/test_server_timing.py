"""Server-Timing: the wait for a connection, the connect and the query are separate parts that add up."""

from __future__ import annotations

import re
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.guest.guest_root import GuestRoot, Response
from tests.guest.guest_sql import drop_connections, locked_account, until_waiting
from tests.guest.running_tiers import APPLICATION, START_DATABASE, STOP_DATABASE

LOCK_SECONDS = 0.2
POOL_SIZE = 10


def microseconds(server_timing: str) -> dict[str, int]:
    parts = (part.split(";dur=") for part in server_timing.split(", "))
    return {name: round(float(duration) * 1000) for name, duration in parts}


def timing_of(answer: Response) -> dict[str, int]:
    return microseconds(answer.headers["server-timing"])


def change(tiers: GuestRoot, aid: int) -> Response:
    json = ("--header", "Content-Type: application/json", "--data", '{"delta": 1}')
    return tiers.get(f"{APPLICATION}/api/v1/accounts/{aid}", *json)


def test_only_a_request_that_opens_a_connection_has_a_connect(tiers: GuestRoot) -> None:
    drop_connections(tiers)
    first, second = (timing_of(tiers.get(f"{APPLICATION}/api/v1/accounts/1")) for _ in range(2))
    assert list(first) == ["pool", "connect", "db", "app"]
    assert list(second) == ["pool", "db", "app"]
    assert first["connect"] > 1000, "a SCRAM login takes milliseconds of hashing"


def test_the_parts_are_never_negative_and_never_exceed_the_total(tiers: GuestRoot) -> None:
    drop_connections(tiers)
    paths = [f"/api/v1/accounts/{aid}" for aid in range(1, 200)] + ["/api/v1/branches/1", "/ready", "/health"]
    config = "".join(f'url = "{APPLICATION}{path}"\noutput = /dev/null\n' for path in paths)
    said = tiers.run("curl", "--silent", "--parallel", "--dump-header", "-", "--config", "-", stdin=config)
    timings = re.findall(r"^server-timing: (.*?)\r?$", said, re.M)
    assert len(timings) == len(paths)
    for timing in map(microseconds, timings):
        whole = timing.pop("app")
        assert sum(timing.values()) <= whole
        assert min(timing.values(), default=0) >= 0


def test_time_spent_waiting_for_a_lock_is_the_databases(tiers: GuestRoot, tmp_path: Path) -> None:
    with ThreadPoolExecutor() as threads, locked_account(tiers, 500, tmp_path / "lock"):
        waiting = threads.submit(change, tiers, 500)
        until_waiting(tiers, 1)
        time.sleep(LOCK_SECONDS)
    timing = timing_of(waiting.result())
    assert timing["db"] > LOCK_SECONDS * 1e6 > timing["pool"]


def test_time_spent_waiting_for_a_connection_is_the_pools(tiers: GuestRoot, tmp_path: Path) -> None:
    with (
        ThreadPoolExecutor(POOL_SIZE + 1) as threads,
        locked_account(tiers, 501, tmp_path / "lock", accounts=POOL_SIZE),
    ):
        busy = [threads.submit(change, tiers, 501 + number) for number in range(POOL_SIZE)]
        until_waiting(tiers, POOL_SIZE)
        waiting = threads.submit(tiers.get, f"{APPLICATION}/api/v1/accounts/1")
        time.sleep(2 * LOCK_SECONDS)
    assert [future.result().status for future in busy] == [200] * POOL_SIZE
    timing = timing_of(waiting.result())
    assert timing["pool"] > LOCK_SECONDS * 1e6 > timing["db"]


def test_a_failed_connect_has_no_query(tiers: GuestRoot) -> None:
    tiers.run("sh", "-c", STOP_DATABASE)
    try:
        tiers.get(f"{APPLICATION}/api/v1/accounts/1")
        answer = tiers.get(f"{APPLICATION}/api/v1/accounts/1")
    finally:
        tiers.run("sh", "-c", START_DATABASE)
    assert answer.status == 503
    assert list(timing_of(answer)) == ["pool", "connect", "app"]
