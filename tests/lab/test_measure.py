"""Measured runs through the real tiers: requests are delivered, times add up, and a frozen tier shows."""

from __future__ import annotations

import csv
import json
import statistics
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from bench.guests import Guests
from tests.lab.stack import NAME, Stack, wait_until

RPS, SECONDS = 100, 12


def summary_of(results: Path) -> dict[str, Any]:
    (path,) = results.glob("*/summary.json")
    found: dict[str, Any] = json.loads(path.read_text())
    return found


@pytest.fixture(scope="module")
def steady(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The summary of a steady run with every kind of request and with gates that it passes."""
    results = tmp_path_factory.mktemp("steady")
    mix = "random=70,hot=10,missing=5,slow=1,write=14"
    gates = ["--gate", "error_rate=0", "--gate", "delivered_share=0.999", "--gate", "total.p99=2000"]
    load = ["--rps", str(RPS), "--for", f"{SECONDS}s", "--concurrency", "50", "--mix", mix]
    run = stack.measure("run", *load, *gates, "--results", str(results))
    assert run.returncode == 0, run.stdout + run.stderr
    (path,) = results.glob("*/samples.csv")
    with path.open() as file:
        sent = [float(row["sent"]) for row in csv.DictReader(file)]
    return {**summary_of(results), "evenness_by_second": [evenness(sent, second) for second in range(1, SECONDS)]}


def evenness(sent: list[float], second: int) -> float:
    """Return the variance-to-mean ratio of the requests sent per 10 ms of a second."""
    slots = Counter(int(at // 10) for at in sent if second * 1000 <= at < (second + 1) * 1000)
    counts = [slots[second * 100 + slot] for slot in range(100)]
    return statistics.pvariance(counts) / statistics.mean(counts)


def test_every_scheduled_request_gets_its_response(steady: dict[str, Any]) -> None:
    delivery = steady["delivery"]
    assert delivery["scheduled"] == RPS * SECONDS
    assert delivery["delivered_share"] >= 0.999
    assert delivery["errors"] == 0


def test_requests_are_sent_evenly(steady: dict[str, Any]) -> None:
    # In the quietest second: what else runs on this machine interrupts it in the others.
    assert min(steady["evenness_by_second"]) <= 1.2


def test_every_tiers_time_lies_within_its_clients(steady: dict[str, Any]) -> None:
    consistency = steady["consistency"]
    assert consistency["consistent"] == consistency["checked"] == steady["delivery"]["sent"]


def test_the_parts_add_up_to_the_total(steady: dict[str, Any]) -> None:
    assert sum(one["mean"] for one in steady["shares"]) == pytest.approx(steady["latency"]["total"]["mean"], rel=1e-6)


def test_every_kind_of_request_is_sent(steady: dict[str, Any]) -> None:
    assert set(steady["kinds"]) == {"random", "hot", "missing", "slow", "write"}
    kinds = {name: one["latency"]["database"]["p50"] for name, one in steady["kinds"].items()}
    assert kinds["slow"] > kinds["random"], "a sum over 100,000 rows takes longer than one row"


def test_writes_reach_the_database(stack: Stack, steady: dict[str, Any]) -> None:
    with stack.database() as connection:
        (written,) = connection.execute("SELECT count(*) FROM pgbench_history").fetchone() or (0,)
    assert written >= steady["kinds"]["write"]["requests"]


def test_a_run_leaves_no_drift(stack: Stack, steady: dict[str, Any]) -> None:
    assert steady
    stack.pulumi("refresh", "--yes", "--skip-preview", "--expect-no-changes")
    assert stack.preview() == []


def test_a_missed_gate_fails_the_run_and_is_named(stack: Stack, tmp_path: Path) -> None:
    load = ["--rps", "50", "--for", "5s", "--gate", "database.p95=0.001"]
    run = stack.measure("run", *load, "--results", str(tmp_path))
    assert run.returncode == 1, run.stdout
    assert "database.p95" in run.stdout
    assert summary_of(tmp_path)["verdict"]["outcome"] == "failed"


def test_a_frozen_second_shows_in_the_percentiles_and_a_closed_loop_hides_it(stack: Stack, tmp_path: Path) -> None:
    guests = Guests(stack.lab, NAME)
    server = guests.process(f"{NAME}-application-0", "uvicorn")
    thawed = threading.Event()
    closed: list[float] = []

    def loop() -> None:
        with stack.client() as client:
            # A busy machine takes longer for as many requests.
            while not thawed.is_set() or len(closed) <= 1000:
                sent = time.monotonic()
                client.get("/api/v1/accounts/1").raise_for_status()
                closed.append((time.monotonic() - sent) * 1000)

    def freeze_later() -> None:
        def runs() -> bool:
            run = stack.load_cluster().status().run
            return run is not None and run.id != "" and run.state == "running"

        try:
            wait_until("the run has begun", runs)
            time.sleep(SECONDS / 2)
            guests.freeze(server, 1.0)
        finally:
            thawed.set()

    threads = [threading.Thread(target=loop), threading.Thread(target=freeze_later)]
    for thread in threads:
        thread.start()
    load = ["--rps", str(RPS), "--for", f"{SECONDS}s", "--concurrency", "50", "--results", str(tmp_path)]
    run = stack.measure("run", *load)
    for thread in threads:
        thread.join()
    assert run.returncode == 0, run.stdout
    total = summary_of(tmp_path)["latency"]["total"]
    assert total["p999"] >= 900, "a twelfth of all requests waited, up to a second"
    assert total["p99"] >= 500
    assert max(closed) >= 900, "the closed loop ran into the same second"
    # On a busy machine, others may be slow as well.
    assert statistics.quantiles(closed, n=100)[-1] < 500, "but its 99th percentile doesn't show it"
    assert len(closed) > 1000
