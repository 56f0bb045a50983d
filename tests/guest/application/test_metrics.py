"""The application's histograms, and that disabled metrics and tracing load no module."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from prometheus_client.parser import text_string_to_metric_families

from cloudinit.constants import APPLICATION_METRICS_PORT, DATABASE_PORT
from tests.guest.guest_root import GuestRoot
from tests.guest.guest_sql import drop_connections
from tests.guest.running_tiers import CREDENTIALS, DATABASE_HOST
from tests.guest.traced_tiers import guest_files, run_application
from tests.unit.cloudinit.guest_examples import application

APPLICATION = "http://127.0.0.1:8280"
METRICS = f"http://127.0.0.1:{APPLICATION_METRICS_PORT}/metrics"

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


@pytest.fixture(scope="module")
def counted(tiers: GuestRoot, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GuestRoot]:
    """The tiers with one more application, which has metrics enabled."""
    files = guest_files(application(database_host=DATABASE_HOST, metrics=True))
    log = tmp_path_factory.mktemp("metrics") / "application"
    with ExitStack() as running:
        run_application(running, tiers, files, 8280, log)
        tiers.get_until(f"{APPLICATION}/health", 200)
        yield tiers
    assert "Traceback" not in log.read_text(encoding="utf-8")


def samples(guest: GuestRoot) -> Samples:
    families = text_string_to_metric_families(guest.get(METRICS).body)
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in families
        for sample in family.samples
        if family.name.startswith("multi_tier")
    }


def added(before: Samples, after: Samples, name: str, **labels: str) -> float:
    key = (name, frozenset(labels.items()))
    return after[key] - before.get(key, 0)


def test_requests_are_timed_by_method_route_and_status(counted: GuestRoot) -> None:
    before = samples(counted)
    for path in ("/api/v1/accounts/1", "/api/v1/accounts/2", "/api/v1/accounts/100001", "/api/v1/branches/1"):
        counted.get(APPLICATION + path)
    after = samples(counted)
    name, route = "multi_tier_request_duration_seconds", "/api/v1/accounts/{aid}"
    assert added(before, after, f"{name}_count", method="GET", route=route, status="200") == 2
    assert added(before, after, f"{name}_count", method="GET", route=route, status="404") == 1
    branch = {"method": "GET", "route": "/api/v1/branches/{bid}", "status": "200"}
    assert added(before, after, f"{name}_count", **branch) == 1
    assert 0.0005 < added(before, after, f"{name}_sum", **branch) < 5
    assert added(before, after, f"{name}_bucket", le="+Inf", **branch) == 1


def test_metrics_are_served_on_both_families(counted: GuestRoot) -> None:
    assert counted.get(METRICS.replace("127.0.0.1", "[::1]")).status == 200


def test_the_parts_of_a_query_are_timed_separately(counted: GuestRoot) -> None:
    drop_connections(counted)
    counted.get(f"{APPLICATION}/api/v1/accounts/1")
    before = samples(counted)
    answers = [counted.get(f"{APPLICATION}/api/v1/accounts/1") for _ in range(5)]
    counted.get(f"{APPLICATION}/health")
    after = samples(counted)
    name = "multi_tier_database_duration_seconds"
    told = [dict(part.split(";dur=") for part in answer.headers["server-timing"].split(", ")) for answer in answers]
    assert [added(before, after, f"{name}_count", part=part) for part in ("pool", "connect", "query")] == [5, 0, 5]
    assert after[f"{name}_count", frozenset({("part", "connect")})] >= 1
    for part, header in (("pool", "pool"), ("query", "db")):
        milliseconds = sum(float(timing[header]) for timing in told)
        assert added(before, after, f"{name}_sum", part=part) * 1000 == pytest.approx(milliseconds, abs=0.01)


def test_the_buckets_reach_from_a_quarter_of_a_millisecond_to_ten_seconds(counted: GuestRoot) -> None:
    counted.get(f"{APPLICATION}/health")
    bounds = {dict(labels)["le"] for name, labels in samples(counted) if name.endswith("_bucket")}
    assert {"0.00025", "10.0", "+Inf"} <= bounds


def test_invented_paths_and_methods_add_no_series(counted: GuestRoot) -> None:
    counted.get(f"{APPLICATION}/made-up/0")
    counted.get(f"{APPLICATION}/health", "--request", "MKCOL")
    before = samples(counted)
    for number in range(5):
        counted.get(f"{APPLICATION}/made-up/{number}")
    for method in ("PROPFIND", "LOCK", "MKACTIVITY"):
        counted.get(f"{APPLICATION}/health", "--request", method)
    after = samples(counted)
    assert set(after) == set(before)
    name = "multi_tier_request_duration_seconds_count"
    assert added(before, after, name, method="GET", route="", status="404") == 5
    assert added(before, after, name, method="_OTHER", route="/health", status="405") == 3


@pytest.mark.parametrize(
    ("settings", "imported"),
    [
        ([], "[]"),
        (["METRICS_PORT=9465"], "['prometheus_client']"),
        (["TRACING_ENDPOINT=http://a:1"], "['application.otlp']"),
    ],
)
def test_a_disabled_feature_is_not_imported(tiers: GuestRoot, settings: list[str], imported: str) -> None:
    guest_files(application(tracing="http://a:1"), install=tiers)
    program = """
        import asyncio, sys
        from application import server

        async def main():
            await server.start()
            print([name for name in ("prometheus_client", "application.otlp") if name in sys.modules])
            await server.stop()

        asyncio.run(main())
    """
    environment = [
        f"DATABASE_HOST={DATABASE_HOST}",
        f"DATABASE_PORT={DATABASE_PORT}",
        f"DATABASE_PASSWORD={CREDENTIALS}/password",
        f"DATABASE_CERTIFICATE={CREDENTIALS}/certificate",
    ]
    paths = ["PYTHONPATH=/usr/local/lib/virtwork", "TRACING_SERVICE=a"]
    command = ["env", *environment, *paths, *settings, "python3", "-c", textwrap.dedent(program)]
    assert tiers.run(*command).strip() == imported
