"""The application's responses to reads, and what it does while its database is down."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest

from cloudinit.constants import APPLICATION_PORT
from tests.guest.guest_root import GuestRoot, Response
from tests.guest.running_tiers import APPLICATION, DATABASE_LOG, START_DATABASE, STOP_DATABASE, WEB

TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture
def ask(tiers: GuestRoot) -> Callable[..., Response]:
    """Send requests to the application, without the web tier."""
    return lambda path, *options: tiers.get(APPLICATION + path, *options)


def milliseconds(answer: Response) -> dict[str, float]:
    parts = (part.split(";dur=") for part in answer.headers["server-timing"].split(", "))
    return {name: float(duration) for name, duration in parts}


def test_the_application_listens_on_both_families(tiers: GuestRoot) -> None:
    for address in ("127.0.0.1", "[::1]"):
        assert tiers.get(f"http://{address}:{APPLICATION_PORT}/health").status == 200


def test_an_account_has_its_balance_and_the_time_of_the_query(ask: Callable[..., Response]) -> None:
    answer = ask("/api/v1/accounts/100000")
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/json"
    assert set(answer.json) == {"aid", "balance", "db_latency_ms", "tier", "timestamp"}
    assert (answer.json["aid"], answer.json["balance"], answer.json["tier"]) == (100000, 0, "application")
    assert answer.json["db_latency_ms"] == milliseconds(answer)["db"]
    age = datetime.now(UTC) - datetime.fromisoformat(answer.json["timestamp"])
    assert abs(age.total_seconds()) < 5
    assert answer.json["timestamp"].endswith("Z")


def test_the_application_takes_at_least_as_long_as_its_database(ask: Callable[..., Response]) -> None:
    for aid in range(1, 20):
        timing = milliseconds(ask(f"/api/v1/accounts/{aid}"))
        assert timing["app"] >= timing["db"] + timing["pool"] - 0.001  # each is rounded to a microsecond


@pytest.mark.parametrize("aid", ["100001", "2147483647", "2147483648", "99999999999999999999", "9" * 5000])
def test_a_missing_account_is_404_however_large_its_id(ask: Callable[..., Response], aid: str) -> None:
    answer = ask(f"/api/v1/accounts/{aid}")
    assert (answer.status, answer.json) == (404, {"error": "no such account"})


@pytest.mark.parametrize("aid", ["0", "-1", "abc", "1.5", "1e3", "%C2%B2", "1%20or%201=1", "%00", "+1"])
def test_an_id_that_is_not_a_positive_integer_is_400(ask: Callable[..., Response], aid: str) -> None:
    answer = ask(f"/api/v1/accounts/{aid}")
    assert (answer.status, answer.json) == (400, {"error": "account id must be a positive integer"})


@pytest.mark.parametrize("path", ["/", "/api/v1/accounts", "/api/v1/accounts/", "/api/v1/accounts/1/", "/health/"])
def test_an_unknown_path_is_404_in_json(ask: Callable[..., Response], path: str) -> None:
    answer = ask(path)
    assert (answer.status, answer.json) == (404, {"error": "Not Found"})


@pytest.mark.parametrize(("sent", "returned"), [(TRACEPARENT, TRACEPARENT), ("00-nonsense", None), ("", None)])
def test_only_a_valid_traceparent_is_returned(ask: Callable[..., Response], sent: str, returned: str | None) -> None:
    answer = ask("/api/v1/accounts/1", "--header", f"traceparent: {sent}")
    assert answer.status == 200
    assert answer.headers.get("traceparent") == returned


def test_no_log_and_no_process_list_contains_the_password(tiers: GuestRoot) -> None:
    for file in (DATABASE_LOG, "/var/log/nginx/access.json", "/var/log/nginx/error.log"):
        assert "DROP TABLE" not in tiers.read(file)
    assert "DROP TABLE" not in tiers.run("sh", "-c", "cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ | tr '\\0' ' '")


def test_a_stopped_database_is_a_quick_503_until_it_is_back(tiers: GuestRoot) -> None:
    tiers.run("sh", "-c", STOP_DATABASE)
    try:
        answer = tiers.get(f"{WEB}/api/v1/accounts/1")
        assert (answer.status, answer.json) == (503, {"error": "database unavailable"})
        assert answer.seconds < 3
        assert tiers.get(f"{APPLICATION}/ready").status == 503
        assert tiers.get(f"{APPLICATION}/health").status == 200
    finally:
        tiers.run("sh", "-c", START_DATABASE)
    assert tiers.get(f"{WEB}/api/v1/accounts/1").status == 200


def test_a_hanging_database_is_503_within_the_timeout_until_it_is_back(tiers: GuestRoot) -> None:
    assert tiers.get(f"{WEB}/api/v1/accounts/1").status == 200  # opens the connection that the update takes
    server = "$(ps -o pid= -u postgres 2>/dev/null || grep -l ^postgres /proc/[0-9]*/comm | cut -d/ -f3)"
    tiers.run("sh", "-c", f"kill -STOP {server}")
    try:
        started = time.monotonic()
        with ThreadPoolExecutor() as threads:
            json_body = ("--header", "Content-Type: application/json", "--data", '{"delta": 0}')
            changed = threads.submit(tiers.get, f"{WEB}/api/v1/accounts/1", *json_body)
            time.sleep(0.1)
            answer = tiers.get(f"{WEB}/api/v1/accounts/1")
        assert (answer.status, answer.json) == (503, {"error": "database unavailable"})
        assert time.monotonic() - started < 4
        lost = changed.result()
        assert (lost.status, lost.json) == (503, {"error": "database unavailable: the change may have been made"})
        assert "retry-after" not in lost.headers
        assert milliseconds(lost)["db"] > 1900
    finally:
        tiers.run("sh", "-c", f"kill -CONT {server}")
    assert tiers.get_until(f"{WEB}/api/v1/accounts/1", 200, seconds=5).status == 200
