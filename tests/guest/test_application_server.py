"""The application and web tiers as their guests run them: real PostgreSQL, uvicorn and nginx, from the image."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cloudinit.constants import APPLICATION_PORT
from tests.guest.guest_root import Answer, GuestRoot
from tests.guest.running_tiers import APPLICATION, DATABASE_LOG, START_DATABASE, STOP_DATABASE, WEB

TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture
def ask(tiers: GuestRoot) -> Callable[..., Answer]:
    """Ask the application itself."""
    return lambda path, *options: tiers.get(APPLICATION + path, *options)


def milliseconds(answer: Answer) -> dict[str, float]:
    parts = (part.split(";dur=") for part in answer.headers["server-timing"].split(", "))
    return {name: float(duration) for name, duration in parts}


def test_an_account_is_answered_with_its_balance_and_the_time_of_the_query(ask: Callable[..., Answer]) -> None:
    answer = ask("/api/v1/accounts/100000")
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/json"
    assert set(answer.json) == {"aid", "balance", "db_latency_ms", "tier", "timestamp"}
    assert (answer.json["aid"], answer.json["balance"], answer.json["tier"]) == (100000, 0, "application")
    assert answer.json["db_latency_ms"] == milliseconds(answer)["db"]
    age = datetime.now(UTC) - datetime.fromisoformat(answer.json["timestamp"])
    assert abs(age.total_seconds()) < 5
    assert answer.json["timestamp"].endswith("Z")


def test_the_application_never_takes_less_time_than_its_database(ask: Callable[..., Answer]) -> None:
    for aid in range(1, 20):
        timing = milliseconds(ask(f"/api/v1/accounts/{aid}"))
        assert timing["app"] >= timing["db"] + timing["pool"] - 0.001  # three roundings to a microsecond


@pytest.mark.parametrize("aid", ["100001", "2147483647", "2147483648", "99999999999999999999", "9" * 5000])
def test_an_account_that_does_not_exist_is_a_404_whatever_its_size(ask: Callable[..., Answer], aid: str) -> None:
    answer = ask(f"/api/v1/accounts/{aid}")
    assert (answer.status, answer.json) == (404, {"error": "no such account"})


@pytest.mark.parametrize("aid", ["0", "-1", "abc", "1.5", "1e3", "%C2%B2", "1%20or%201=1", "%00", "0x10", "+1"])
def test_an_id_that_is_no_positive_integer_is_a_400(ask: Callable[..., Answer], aid: str) -> None:
    answer = ask(f"/api/v1/accounts/{aid}")
    assert (answer.status, answer.json) == (400, {"error": "account id must be a positive integer"})


@pytest.mark.parametrize("path", ["/", "/api/v1/accounts", "/api/v1/accounts/", "/api/v1/accounts/1/", "/health/"])
def test_an_unknown_path_is_a_404_in_json(ask: Callable[..., Answer], path: str) -> None:
    answer = ask(path)
    assert (answer.status, answer.json) == (404, {"error": "Not Found"})


def test_another_method_is_a_405_in_json(ask: Callable[..., Answer]) -> None:
    answer = ask("/api/v1/accounts/1", "--request", "DELETE")
    assert (answer.status, answer.json) == (405, {"error": "Method Not Allowed"})
    assert "GET" in answer.headers["allow"]


@pytest.mark.parametrize(("sent", "returned"), [(TRACEPARENT, TRACEPARENT), ("00-nonsense", None), ("", None)])
def test_a_traceparent_comes_back_and_nonsense_does_not(
    ask: Callable[..., Answer], sent: str, returned: str | None
) -> None:
    answer = ask("/api/v1/accounts/1", "--header", f"traceparent: {sent}")
    assert answer.status == 200
    assert answer.headers.get("traceparent") == returned


def test_the_answer_crosses_the_web_tier_with_every_tiers_mark(tiers: GuestRoot) -> None:
    answer = tiers.get(f"{WEB}/api/v1/accounts/7", "--header", f"traceparent: {TRACEPARENT}")
    assert answer.status == 200
    assert set(milliseconds(answer)) == {"pool", "db", "app"}
    assert answer.headers["traceparent"] == TRACEPARENT
    assert answer.headers["x-served-by"]
    assert answer.headers["x-web-served-by"]
    assert answer.seconds * 1000 >= milliseconds(answer)["app"]


def test_the_access_log_tells_the_same_times_as_the_answer(tiers: GuestRoot) -> None:
    path = "/api/v1/accounts/11?quote=%22\\"
    answer = tiers.get(WEB + path, "--header", f"traceparent: {TRACEPARENT}")
    log = tiers.read_until("/var/log/nginx/access.json", "11?quote=")
    entry = next(entry for entry in map(json.loads, reversed(log.splitlines())) if entry["uri"] == path)
    assert entry["status"] == answer.status
    assert entry["database_ms"] == milliseconds(answer)["db"]
    assert entry["application_ms"] == milliseconds(answer)["app"]
    assert entry["traceparent"] == TRACEPARENT
    assert entry["served_by"] == answer.headers["x-served-by"]
    assert entry["upstream_addr"] == f"127.0.0.1:{APPLICATION_PORT}"
    assert len(entry["request_id"]) == 32
    # nginx's clock ticks in milliseconds.
    assert entry["request_time"] * 1000 + 1 >= entry["upstream_response_time"] * 1000 >= entry["application_ms"] - 1
    assert datetime.fromisoformat(entry["time"]).tzinfo


def test_web_has_its_own_health_and_status(tiers: GuestRoot) -> None:
    assert tiers.get(f"{WEB}/health").json == {"status": "alive"}
    assert tiers.get(f"{WEB}/ready").json == {"status": "ready"}
    assert tiers.get(f"{WEB}/nginx_status").body.startswith("Active connections:")


def test_without_an_application_web_answers_in_json_and_stays_alive(tiers: GuestRoot) -> None:
    config = tiers.read("/etc/virtwork/nginx.conf").replace(":80 ", ":81 ").replace("listen 80 ", "listen 81 ")
    tiers.write(
        "/opt/test/unknown.conf", config.replace("virtwork/upstream.conf", "unknown.conf").replace("nginx.pid", "81")
    )
    tiers.write(
        "/opt/test/refused.conf", config.replace("virtwork/upstream.conf", "refused.conf").replace("nginx.pid", "81")
    )
    tiers.run("cp", "/etc/virtwork/upstream-unknown.conf", "/etc/nginx/unknown.conf")
    refused = tiers.read("/etc/nginx/virtwork/upstream.conf").replace(f":{APPLICATION_PORT}", ":1")
    tiers.write("/etc/nginx/refused.conf", refused)
    url = "http://127.0.0.1:81"

    with tiers.running("nginx", "-c", "/opt/test/unknown.conf", "-g", "daemon off;", log=Path("/dev/null")):
        answer = tiers.get_until(f"{url}/ready", 503)
        assert answer.json == {"error": "the application tier is not known yet"}
        assert tiers.get(f"{url}/api/v1/accounts/1").status == 503
        assert tiers.get(f"{url}/health").status == 200

    with tiers.running("nginx", "-c", "/opt/test/refused.conf", "-g", "daemon off;", log=Path("/dev/null")):
        answer = tiers.get_until(f"{url}/api/v1/accounts/1", 502)
        assert answer.json == {"error": "the application tier refused or broke the connection"}
        assert answer.headers["content-type"] == "application/json"
        assert tiers.get(f"{url}/ready").status == 200


def test_the_password_is_in_no_log_and_no_process_list(tiers: GuestRoot) -> None:
    for file in (DATABASE_LOG, "/var/log/nginx/access.json", "/var/log/nginx/error.log"):
        assert "DROP TABLE" not in tiers.read(file)
    assert "DROP TABLE" not in tiers.run("sh", "-c", "cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ | tr '\\0' ' '")


def test_while_the_database_is_away_the_answer_is_a_quick_503_and_then_all_is_well_again(tiers: GuestRoot) -> None:
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


def test_a_database_that_hangs_costs_a_bounded_time_and_then_all_is_well_again(tiers: GuestRoot) -> None:
    assert tiers.get(f"{WEB}/api/v1/accounts/1").status == 200  # leaves a connection that the change then takes
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
