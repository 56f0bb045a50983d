"""The load generator's script, run by the real k6 through the real tiers."""

from __future__ import annotations

import json
import statistics
import threading
import time
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

import psutil
import pytest

from cloudinit import LoadPlan, Profile, render_load_plan
from cloudinit.constants import APPLICATION_PORT
from cloudinit.files.load.agent.generator import OPTIONS
from cloudinit.sample_columns import HEADER
from tests.guest.guest_root import GuestRoot
from tests.unit.cloudinit.guest_examples import web_with_load
from tests.unit.cloudinit.load_samples import Row, rows

TRACE = "00112233aabbccdd"
PLAN = LoadPlan(
    profile=Profile.CONSTANT,
    rps=300,
    peak=300,
    seconds=4,
    concurrency=20,
    accounts=100_000,
    mix={"random": 60, "hot": 15, "missing": 10, "slow": 1, "write": 14},
    seed=7,
    sampled=0.5,
    run="unit",
)
REQUESTS = PLAN.rps * PLAN.seconds


@dataclass(frozen=True)
class Measured:
    """The output of one k6 process."""

    started: float
    rows: list[Row]


def k6_command(tiers: GuestRoot, plan: LoadPlan, *options: str, target: str = "http://127.0.0.1") -> list[str]:
    """Return the command with which the agent runs a plan."""
    tiers.write_files(web_with_load())
    tiers.write("/opt/test/plan.json", render_load_plan(plan))
    environment = ["HOME=/root", "PLAN=/opt/test/plan.json", f"TARGET={target}", f"TRACE={TRACE}", f"COLUMNS={HEADER}"]
    # At the highest priority: other load on this machine is not under test.
    return [
        "nice",
        "--adjustment=-19",
        "env",
        *environment,
        "k6",
        *OPTIONS,
        *options,
        "/usr/local/lib/virtwork/load/requests.js",
    ]


def measure(tiers: GuestRoot, plan: LoadPlan, *options: str, target: str = "http://127.0.0.1") -> Measured:
    said = tiers.run(*k6_command(tiers, plan, *options, target=target))
    (started,) = [line.partition(",")[2] for line in said.splitlines() if line.startswith("started,")]
    return Measured(float(started), rows(said))


def freeze_application(after: float, seconds: float) -> None:
    """Freeze the application for a while."""
    started = {process: process.as_dict(["cmdline"])["cmdline"] for process in psutil.Process().children()}
    (nsenter,) = (process for process, command in started.items() if f"--port {APPLICATION_PORT}" in str(command))
    (application,) = nsenter.children()
    time.sleep(after)
    application.suspend()
    time.sleep(seconds)
    application.resume()
    nsenter.resume()  # it stops with its child


@pytest.fixture(scope="module")
def steady(tiers: GuestRoot) -> Measured:
    """1,200 requests of every kind at 300 per second, with k6's own samples in a file."""
    tiers.write("/var/log/nginx/access.json", "")
    return measure(tiers, replace(PLAN, concurrency=60), "--out=json=/opt/test/k6.json")


def test_every_scheduled_request_is_sent_once_and_gets_its_expected_response(steady: Measured) -> None:
    assert [row.number for row in steady.rows] == list(range(REQUESTS))
    assert {(row.good, row.error) for row in steady.rows} == {(1, 0)}
    assert {(row.kind, row.status) for row in steady.rows} == {
        ("random", 200),
        ("hot", 200),
        ("missing", 404),
        ("slow", 200),
        ("write", 200),
    }
    for kind, count in Counter(row.kind for row in steady.rows).items():
        assert count / REQUESTS == pytest.approx(PLAN.mix[kind] / 100, abs=0.06), kind
    assert time.time() - 60 < steady.started < time.time()


def test_each_tiers_time_lies_within_that_of_its_client(steady: Measured) -> None:
    for row in steady.rows:
        assert row.app is not None
        assert row.db is not None
        assert row.client >= row.app >= row.db + (row.pool or 0) + (row.database_connect or 0), row
        assert row.db > 0
        assert 0 <= row.client_connect <= row.client


def test_connections_are_reused(steady: Measured) -> None:
    assert sum(row.client_connect < 0.1 for row in steady.rows) > REQUESTS / 2, "k6 keeps its connections"
    assert all(row.pool is not None for row in steady.rows)


def test_requests_start_when_due_and_evenly(steady: Measured) -> None:
    assert [row.due for row in steady.rows] == pytest.approx([number / 0.3 for number in range(REQUESTS)], abs=0.001)
    assert all(row.sent >= row.due - 1 for row in steady.rows)
    each_10_ms = Counter(int(row.sent // 10) for row in steady.rows)
    counts = [each_10_ms[slot] for slot in range(400)]
    # Random arrivals have 1. A busy machine pauses now and then and sends a burst: one half-second without is enough.
    half_seconds = [counts[slot : slot + 50] for slot in range(0, 400, 50)]
    assert min(statistics.pvariance(each) / statistics.mean(each) for each in half_seconds) <= 0.6
    # A late timer is not a wait: only time with every connection busy is.
    assert sum(row.wait == 0 and row.sent > row.due for row in steady.rows) > 100
    rounding = 0.002  # three times of three decimals each
    assert all(row.wait <= row.sent - row.due + rounding for row in steady.rows)


def test_the_web_tiers_log_has_the_same_requests_and_times(tiers: GuestRoot, steady: Measured) -> None:
    logged = {}
    for entry in map(json.loads, tiers.read("/var/log/nginx/access.json").splitlines()):
        if entry["traceparent"].startswith(f"00-{TRACE}"):
            logged[entry["traceparent"][19:35]] = entry
    for row in steady.rows:
        entry = logged[row.trace]
        sampled = "01" if int(row.trace[:8], 16) / 2**32 < 0.5 else "00"
        assert entry["traceparent"] == f"00-{TRACE}{row.trace}-{row.trace}-{sampled}"
        assert (entry["method"], entry["status"]) == ("POST" if row.kind == "write" else "GET", row.status)
        assert entry["uri"].startswith("/api/v1/branches/" if row.kind == "slow" else "/api/v1/accounts/")
        assert (entry["application_ms"], entry["database_ms"]) == (row.app, row.db)
        # nginx's clock ticks in milliseconds, and starts when the request has been read.
        assert entry["request_time"] * 1000 <= row.client + 2


def test_k6s_own_metrics_include_the_tiers_and_have_few_tag_values(tiers: GuestRoot, steady: Measured) -> None:
    entries = [json.loads(line) for line in tiers.read("/opt/test/k6.json").splitlines()]
    points = [entry for entry in entries if entry["type"] == "Point"]
    by_metric = {
        metric: [point["data"] for point in points if point["metric"] == metric]
        for metric in {point["metric"] for point in points}
    }
    for metric in ("total_time", "wait_time", "client_time", "application_time", "database_time"):
        assert len(by_metric[metric]) == REQUESTS, metric
    assert sum(point["value"] for point in by_metric["client_time"]) == pytest.approx(
        sum(row.client for row in steady.rows), rel=0.001
    )
    assert all(point["value"] == 0 for point in by_metric["unexpected_answers"] + by_metric["http_req_failed"])
    for point in by_metric["http_req_duration"]:
        assert set(point["tags"]) <= {"name", "status", "scenario", "expected_response"}


def test_a_frozen_second_is_in_the_latency_of_every_request_due_in_it(tiers: GuestRoot) -> None:
    plan = replace(PLAN, rps=200, peak=200, seconds=2, concurrency=10, mix={**PLAN.mix, "slow": 0})
    thread = threading.Thread(target=freeze_application, args=(0.8, 1.0))
    thread.start()
    found = measure(tiers, plan).rows
    thread.join()
    assert len(found) == 400, "no request is dropped"
    assert max(row.total for row in found) > 900, "less the generator's own time"
    # 200 requests were due evenly through that second, and each waited for the rest of it.
    assert sum(row.total > 100 for row in found) >= 170
    assert sum(row.total > 500 for row in found) >= 90
    # A closed loop would show ten requests that took a second, and the rest fast: coordinated omission.
    assert sum(row.client > 500 for row in found) <= 2 * plan.concurrency
    assert sum(row.wait > 100 for row in found) > 100


def test_a_standstill_of_the_generator_is_in_the_latency_of_every_request_due_in_it(
    tiers: GuestRoot, tmp_path: Path
) -> None:
    # More connections than requests are due in the standstill: a timer is late, and no request waits for a connection.
    plan = replace(PLAN, rps=100, peak=100, seconds=4, concurrency=150, mix={**PLAN.mix, "slow": 0})
    command = k6_command(tiers, plan, "--out=json=/opt/test/k6.json")
    with tiers.running(*command, log=tmp_path / "k6") as process:
        deadline = time.monotonic() + 10
        while len(rows((tmp_path / "k6").read_text())) < 100 and time.monotonic() < deadline:
            time.sleep(0.02)
        (k6,) = [one for one in psutil.Process(process.pid).children(recursive=True) if one.name() == "k6"]
        k6.suspend()
        time.sleep(1.0)
        k6.resume()
        psutil.Process(process.pid).resume()  # nsenter stops with its child
        process.wait(20)
    found = rows((tmp_path / "k6").read_text())
    assert len(found) == 400
    assert {row.wait for row in found} == {0}
    totals = sorted(row.total for row in found)
    assert totals[-4] >= 900, "p99 counts from the scheduled time"
    points = [json.loads(line) for line in tiers.read("/opt/test/k6.json").splitlines()]
    reported = sorted(
        point["data"]["value"] for point in points if point.get("metric") == "total_time" and "value" in point["data"]
    )
    assert reported == pytest.approx(totals, abs=0.01), "k6's own figure is the same"


def test_a_refused_request_has_an_error_and_a_stopped_generator_sends_nothing_early(
    tiers: GuestRoot, tmp_path: Path
) -> None:
    command = k6_command(tiers, replace(PLAN, rps=5, peak=5, seconds=60), target="http://127.0.0.1:9")
    with tiers.running(*command, log=tmp_path / "k6"):
        deadline = time.monotonic() + 10
        while not rows((tmp_path / "k6").read_text()) and time.monotonic() < deadline:
            time.sleep(0.02)
    found = rows((tmp_path / "k6").read_text())
    assert found
    refused = 1212
    assert {(row.status, row.error, row.good) for row in found} == {(0, refused, 0)}
    assert all(row.client > 0 and row.app is None and row.db is None for row in found)
    assert all(row.sent >= row.due - 1 for row in found), "a stop ends every sleep, and must not send the request early"
