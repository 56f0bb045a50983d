"""Requests through the web Service pass all three tiers, and each tier reports its time."""

from __future__ import annotations

import json
import random
import secrets
import time
from typing import Any

import pytest

from lab import traffic
from measure.analysis.recording import SampleBuffer
from tests.lab.stack import NAME, RPS, Stack, wait_until

REQUESTS = 300
NGINX_TICK_MS = 1.0  # nginx's clock; see the baseline in docs/how-the-lab-works.md
ACCOUNTS = 1_000_000  # pgbench scale 10


@pytest.fixture(scope="module")
def log_lines(stack: Stack) -> dict[str, dict[str, Any]]:
    """A series of requests by traceparent, each with nginx's log entry and the client's own observation."""
    seen: dict[str, dict[str, Any]] = {}
    with stack.client() as client:
        client.get("/health")
        for _ in range(REQUESTS):
            trace = f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01"
            started = time.perf_counter()
            response = client.get(f"/api/v1/accounts/{random.randint(1, ACCOUNTS)}", headers={"traceparent": trace})
            elapsed = (time.perf_counter() - started) * 1000
            timing = traffic.server_timing(response.headers["Server-Timing"])
            seen[trace] = {"client": elapsed, "timing": timing, "response": response}
    log = stack.guest_file(f"{NAME}-web-0", "/var/log/nginx/access.json")

    def logged() -> dict[str, Any]:
        lines = (json.loads(line) for line in log.read_text().splitlines() if line.endswith("}"))
        return {line["traceparent"]: line for line in lines if line["traceparent"] in seen}

    wait_until("nginx logs every request", lambda: len(logged()) == REQUESTS, 10)
    for trace, line in logged().items():
        seen[trace]["log"] = line
    return seen


def test_an_account_has_the_documented_fields(stack: Stack) -> None:
    with stack.client() as client:
        response = client.get("/api/v1/accounts/4711")
    assert response.status_code == 200
    answer = response.json()
    assert set(answer) == {"aid", "balance", "db_latency_ms", "tier", "timestamp"}
    assert answer["aid"] == 4711
    assert answer["tier"] == "application"
    assert response.headers["X-Served-By"] == f"{NAME}-application-0"
    assert response.headers["X-Web-Served-By"] == f"{NAME}-web-0"


def test_every_tier_takes_at_most_as_long_as_its_client(log_lines: dict[str, dict[str, Any]]) -> None:
    for one in log_lines.values():
        assert one["response"].status_code == 200
        assert one["client"] >= one["timing"]["app"] >= one["timing"]["db"] > 0


def test_nginx_logs_the_applications_own_times(log_lines: dict[str, dict[str, Any]]) -> None:
    for one in log_lines.values():
        assert one["log"]["application_ms"] == pytest.approx(one["timing"]["app"], abs=0.0005)
        assert one["log"]["database_ms"] == pytest.approx(one["timing"]["db"], abs=0.0005)


def test_nginxs_times_agree_to_a_tick_of_its_clock(log_lines: dict[str, dict[str, Any]]) -> None:
    for one in log_lines.values():
        request = one["log"]["request_time"] * 1000
        upstream = one["log"]["upstream_response_time"] * 1000
        assert one["client"] + NGINX_TICK_MS >= request
        assert request + NGINX_TICK_MS >= upstream
        assert upstream + NGINX_TICK_MS >= one["timing"]["app"]


def test_connections_to_the_application_are_reused(log_lines: dict[str, dict[str, Any]]) -> None:
    opened = sum(one["log"]["upstream_connect_time"] > 0 for one in log_lines.values())
    assert opened < REQUESTS / 10


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/v1/accounts/abc", 400),
        ("/nothing/here", 404),
    ],
)
def test_a_bad_request_gets_an_error_in_json(stack: Stack, path: str, status: int) -> None:
    with stack.client() as client:
        response = client.get(path)
    assert response.status_code == status
    assert response.json()["error"]
    assert "Traceback" not in response.text


def test_the_load_generator_keeps_its_rate_without_a_failed_request(stack: Stack) -> None:
    seconds = 30
    cluster, buffer = stack.load_cluster(), SampleBuffer()
    offset, started = cluster.status().samples.next, time.monotonic()
    while time.monotonic() < started + seconds:
        lines = cluster.samples(offset)
        buffer.append(lines)
        offset += len(lines)
        time.sleep(0.5)
    samples = buffer.samples
    sent_seconds = float(samples["sent"].max() - samples["sent"].min()) / 1000
    assert len(samples) / sent_seconds == pytest.approx(RPS, rel=0.02)
    assert sent_seconds == pytest.approx(seconds, rel=0.05)
    assert samples["good"].all()
