"""The metrics of every tier, scraped by a real Prometheus."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator
from typing import Any

import pytest

from cloudinit.constants import (
    APPLICATION_METRICS_PORT,
    DATABASE_METRICS_PORT,
    DATABASE_NAME,
    LOAD_AGENT_PORT,
    NODE_METRICS_PORT,
    WEB_METRICS_PORT,
)
from lab.config import PROJECT
from measure.failures import WrongUsageError
from measure.run import prometheus as asking
from tests.lab.prometheus import Prometheus, prometheus
from tests.lab.stack import NAME, RPS, Stack, wait_until

DASHBOARD = json.loads((PROJECT / "docs" / "grafana" / "multi-tier.json").read_text())
EXPRESSIONS = [
    pytest.param(target["expr"], id=f"{panel['title']}, {target['refId']}")
    for panel in DASHBOARD["panels"]
    for target in panel.get("targets", ())
]
VARIABLES = {"$namespace": NAME, "$stack": NAME, "$__rate_interval": "10s"}
SECONDS = 12  # of scrapes, for rates over ten seconds
TARGETS = {
    (f"{NAME}-application-0", "application"): {NODE_METRICS_PORT, APPLICATION_METRICS_PORT},
    (f"{NAME}-database-0", "database"): {NODE_METRICS_PORT, DATABASE_METRICS_PORT},
    (f"{NAME}-web-0", "load"): {LOAD_AGENT_PORT},
    (f"{NAME}-web-0", "web"): {NODE_METRICS_PORT, WEB_METRICS_PORT},
}
MACHINES = {f"{NAME}-{tier}-0" for tier in ("application", "database", "web")}


@pytest.fixture(scope="module")
def server(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """Prometheus, after it has scraped the stack under load for a while."""
    with prometheus(stack, tmp_path_factory.mktemp("prometheus")) as server:

        def loaded() -> bool:
            return bool(server.query("multi_tier_load_requests_total"))

        wait_until("Prometheus scrapes the load generator's requests", loaded)
        time.sleep(SECONDS)
        yield server


def test_every_metrics_port_is_discovered_and_scraped(server: Prometheus) -> None:
    found: dict[tuple[str, str], set[int]] = {}
    for target in server.targets():
        assert target["health"] == "up", f"{target['scrapeUrl']}: {target['lastError']}"
        labels = target["labels"]
        assert (labels["stack"], labels["namespace"]) == (NAME, NAME)
        port = int(labels["instance"].rpartition(":")[2])
        found.setdefault((labels["machine"], labels["tier"]), set()).add(port)

    assert found == TARGETS


def test_no_collector_fails(server: Prometheus) -> None:
    assert not server.query("node_scrape_collector_success == 0")
    assert server.value("pg_exporter_last_scrape_error") == 0


def test_the_load_is_delivered_at_its_rate(server: Prometheus) -> None:
    assert server.value("sum(multi_tier_load_asked_rate)") == RPS
    assert server.value("sum(rate(multi_tier_load_requests_total[10s]))") == pytest.approx(RPS, rel=0.1)
    assert server.value('sum(rate(multi_tier_load_requests_total{good="1"}[10s]))') == pytest.approx(RPS, rel=0.1)


def test_the_parts_of_the_loads_latency_add_up_to_its_total(server: Prometheus) -> None:
    # Rates, since a request without a response has a total but no parts; in one query, since every scrape changes them.
    seconds = "sum(rate(multi_tier_load_duration_seconds_sum{part%s'total'}[10s]))"
    assert server.value(f"{seconds % '!='} / {seconds % '='}") == pytest.approx(1, rel=0.02)


def test_nginx_sees_the_rate_of_the_load(server: Prometheus) -> None:
    # Scrapes and probes add a few requests per second.
    assert RPS * 0.9 < server.value("sum(rate(nginx_http_requests_total[10s]))") < RPS * 1.1 + 5
    assert server.value("nginx_up") == 1


def test_the_application_times_its_requests(server: Prometheus) -> None:
    histogram = 'sum by (le) (rate(multi_tier_request_duration_seconds_bucket{route=~"/api/.*"}[10s]))'
    assert 0 < server.value(f"histogram_quantile(0.99, {histogram})") < 1
    count = 'sum(rate(multi_tier_request_duration_seconds_count{route=~"/api/.*"}[10s]))'
    assert server.value(count) == pytest.approx(RPS, rel=0.1)
    parts = "sum by (part) (multi_tier_database_duration_seconds_count)"
    assert {sample.labels["part"] for sample in server.query(parts)} == {"pool", "connect", "query"}


def test_the_database_commits_at_the_rate_of_the_load(server: Prometheus) -> None:
    commits = 'sum(rate(pg_stat_database_xact_commit{datname="' + DATABASE_NAME + '"}[10s]))'
    assert server.value(commits) > RPS / 2
    assert server.value("pg_up") == 1


@pytest.mark.parametrize(
    "expression",
    [
        'sum by (machine) (rate(node_cpu_seconds_total{mode!="idle"}[10s]))',
        "sum by (machine) (node_memory_MemAvailable_bytes)",
        'sum by (machine) (rate(node_network_receive_bytes_total{device!="lo"}[10s]))',
    ],
    ids=["processors", "memory", "network"],
)
def test_every_machine_reports_its_own_metrics(server: Prometheus, expression: str) -> None:
    samples = server.query(expression)
    assert {sample.labels["machine"] for sample in samples} == MACHINES
    assert all(sample.value > 0 for sample in samples)


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_every_panel_of_the_dashboard_has_data(server: Prometheus, expression: str) -> None:
    for variable, value in VARIABLES.items():
        expression = expression.replace(variable, value)
    # A part without observations is NaN: a p99 of connects, say, while no connection was opened.
    assert any(not math.isnan(sample.value) for sample in server.query(expression)), f"no data for {expression}"


def test_the_dashboard_finds_the_stack_by_its_variables(server: Prometheus) -> None:
    variables: dict[str, Any] = {one["name"]: one for one in DASHBOARD["templating"]["list"]}
    assert variables["datasource"]["query"] == "prometheus"
    for name in ("namespace", "stack"):
        selector = variables[name]["definition"].removeprefix("label_values(").rpartition(",")[0]
        samples = server.query(selector.replace("$namespace", NAME))
        assert {sample.labels[name] for sample in samples} == {NAME}


def test_a_start_keeps_what_prometheus_says_of_its_time(server: Prometheus) -> None:
    end = time.time()
    queries = {"targets": "sum(up)"}
    found = asking.Prometheus(server.url, queries)
    found.check()
    answer = found.ask(end - SECONDS / 2, end)["targets"]
    assert answer.problem == ""
    ((_, values),) = (dict(one).values() for one in answer.series if isinstance(one, dict))
    assert isinstance(values, list)
    assert len(values) >= SECONDS / 2
    with pytest.raises(WrongUsageError, match="'targets': Prometheus refuses it: bad_data: "):
        asking.Prometheus(server.url, {"targets": "sum("}).check()
