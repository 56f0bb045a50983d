"""The spans of requests through the real nginx, uvicorn and PostgreSQL, at a strict OpenTelemetry receiver."""

from __future__ import annotations

import itertools
import json
import random
import time
from collections.abc import Callable, Iterator

import pytest

from cloudinit.constants import DATABASE_NAME, DATABASE_PORT
from tests.guest.guest_root import GuestRoot, Response
from tests.guest.guest_sql import drop_connections
from tests.guest.running_tiers import DATABASE_HOST, START_DATABASE, STOP_DATABASE
from tests.guest.traced_tiers import ACCESS_LOG, APPLICATION, WEB, TracedTiers, traced_tiers
from tests.unit.cloudinit.otlp_receiver import Receiver, Span

SERVER, CLIENT, INTERNAL = 2, 3, 1
CALLER = "b7ad6b7169203331"


@pytest.fixture(scope="module")
def traced(tiers: GuestRoot, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TracedTiers]:
    with traced_tiers(tiers, tmp_path_factory.mktemp("traced")) as running:
        yield running


@pytest.fixture
def receiver(traced: TracedTiers) -> Receiver:
    return traced.receiver


Ask = Callable[..., tuple[str, Response]]


@pytest.fixture
def ask(traced: TracedTiers) -> Ask:
    """Send requests, each with a new trace ID; return that ID and the response."""

    def request(path: str, *options: str, base: str = WEB, flags: str = "01") -> tuple[str, Response]:
        trace_id = f"{random.getrandbits(128):032x}"
        header = f"traceparent: 00-{trace_id}-{CALLER}-{flags}"
        return trace_id, traced.guest.get(base + path, "--header", header, *options)

    return request


def by_name(spans: list[Span]) -> dict[str, Span]:
    assert len({span.name for span in spans}) == len(spans)
    return {span.name: span for span in spans}


def test_one_request_is_one_trace_from_web_through_the_application_to_the_query(ask: Ask, receiver: Receiver) -> None:
    trace_id, answer = ask("/api/v1/accounts/42?why=this")
    spans = by_name(receiver.wait_for(4, trace_id=trace_id))
    web, application = spans["GET"], spans["GET /api/v1/accounts/{aid}"]
    acquire, query = spans["acquire connection"], spans["SELECT pgbench_accounts"]
    assert answer.status == 200
    assert [web.parent_id, application.parent_id] == [CALLER, web.span_id]
    assert acquire.parent_id == query.parent_id == application.span_id
    assert [web.kind, application.kind, acquire.kind, query.kind] == [SERVER, SERVER, INTERNAL, CLIENT]
    assert [web.service, application.service, query.service] == ["multi-tier-web", *["multi-tier-application"] * 2]
    assert web.holds(application)
    assert application.holds(acquire)
    assert application.holds(query)
    assert acquire.end <= query.start
    assert not any(span.error for span in spans.values())


def test_attributes_follow_the_semantic_conventions(ask: Ask, receiver: Receiver) -> None:
    trace_id, _ = ask("/api/v1/accounts/43?why=this")
    spans = by_name(receiver.wait_for(4, trace_id=trace_id))
    http = {
        "http.request.method": "GET",
        "http.response.status_code": 200,
        "url.scheme": "http",
        "url.path": "/api/v1/accounts/43",
        "url.query": "why=this",
    }
    assert spans["GET"].attributes == http | {"client.address": "127.0.0.1"}
    assert spans["GET /api/v1/accounts/{aid}"].attributes == http | {"http.route": "/api/v1/accounts/{aid}"}
    assert spans["SELECT pgbench_accounts"].attributes == {
        "db.system.name": "postgresql",
        "db.namespace": DATABASE_NAME,
        "db.operation.name": "SELECT",
        "db.collection.name": "pgbench_accounts",
        "db.query.text": "SELECT abalance FROM pgbench_accounts WHERE aid = $1",
        "server.address": DATABASE_HOST,
        "server.port": DATABASE_PORT,
    }


def test_spans_last_as_long_as_server_timing_says(ask: Ask, receiver: Receiver) -> None:
    trace_id, answer = ask("/api/v1/branches/1")
    told = {
        name: float(ms) for name, ms in (part.split(";dur=") for part in answer.headers["server-timing"].split(", "))
    }
    spans = by_name(receiver.wait_for(4, trace_id=trace_id))
    application, query = spans["GET /api/v1/branches/{bid}"], spans["SELECT pgbench_accounts"]
    assert (application.end - application.start) / 1e6 == pytest.approx(float(told["app"]), abs=0.003)
    assert (query.end - query.start) / 1e6 == pytest.approx(float(told["db"]), abs=0.003)
    assert abs(application.start / 1e9 - time.time()) < 60


def test_an_update_has_its_own_span_names(ask: Ask, receiver: Receiver) -> None:
    header = ("--header", "Content-Type: application/json")
    trace_id, answer = ask("/api/v1/accounts/77", *header, "--data", '{"delta": 5}')
    assert answer.status == 200
    names = {span.name for span in receiver.wait_for(4, trace_id=trace_id)}
    assert {"POST", "POST /api/v1/accounts/{aid}", "UPDATE pgbench_accounts"} <= names


def test_web_spans_contain_their_application_spans(receiver: Receiver, traced: TracedTiers) -> None:
    config = "next\n".join(
        f'url = "{WEB}/api/v1/accounts/{aid}"\noutput = /dev/null\nheader = "traceparent: 00-{aid:032x}-{CALLER}-01"\n'
        for aid in range(1, 400)
    )
    traced.guest.run("curl", "--silent", "--config", "-", stdin=config)
    log = traced.guest.read_until(ACCESS_LOG, f"{399:032x}")
    lines = [json.loads(line) for line in log.splitlines()]
    logged = {line["request_id"][:16]: line for line in lines}
    for aid in range(1, 400):
        spans = receiver.wait_for(4, trace_id=f"{aid:032x}", seconds=10)
        (web,) = (span for span in spans if span.service == "multi-tier-web")
        assert all(web.holds(span) for span in spans)
        assert web.end - web.start < 1e9 * logged[web.span_id]["request_time"] + 2e6


@pytest.mark.parametrize("flags", ["00", "02", "fe"])
def test_a_request_that_is_not_sampled_has_no_span(ask: Ask, receiver: Receiver, flags: str) -> None:
    trace_id, answer = ask("/api/v1/accounts/1", flags=flags)
    sampled, _ = ask("/api/v1/accounts/1", flags="03")
    receiver.wait_for(4, trace_id=sampled)  # sent later, so the other trace would have arrived
    assert answer.status == 200
    assert answer.headers["traceparent"][:35] == f"00-{trace_id}"
    assert answer.headers["traceparent"][-2:] == flags
    assert not [span for span in receiver.spans if span.trace_id == trace_id]


@pytest.mark.parametrize(
    "sent",
    [
        "",
        "nonsense",
        f"ff-{'a' * 32}-{CALLER}-01",
        f"00-{'0' * 32}-{CALLER}-01",
        f"00-{'a' * 32}-{'0' * 16}-01",
        f"00-{'A' * 32}-{CALLER}-01",
        f"00-{'a' * 32}-{CALLER}-01-more",
        f'00-{"a" * 32}-{CALLER}-01","x":"',
        "x" * 5000,
    ],
)
def test_an_invalid_traceparent_is_dropped(traced: TracedTiers, receiver: Receiver, sent: str) -> None:
    before = len(receiver.spans)
    answer = traced.guest.get(f"{WEB}/api/v1/accounts/1", "--header", f"traceparent: {sent}")
    assert answer.status == 200
    assert "traceparent" not in answer.headers
    time.sleep(0.05)
    assert len(receiver.spans) == before


def test_a_request_without_traceparent_starts_no_trace(traced: TracedTiers) -> None:
    answer = traced.guest.get(f"{WEB}/api/v1/accounts/1")
    assert (answer.status, answer.headers.get("traceparent")) == (200, None)


def test_clients_of_the_web_tier_do_not_see_the_applications_clock(ask: Ask) -> None:
    _, through_web = ask("/api/v1/accounts/1")
    _, direct = ask("/api/v1/accounts/1", base=APPLICATION)
    _, unsampled = ask("/api/v1/accounts/1", base=APPLICATION, flags="00")
    assert "x-application-start" not in through_web.headers
    assert abs(float(direct.headers["x-application-start"].removeprefix("t=")) - time.time()) < 60
    assert "x-application-start" not in unsampled.headers


def test_a_request_without_a_query_has_a_trace(ask: Ask, receiver: Receiver) -> None:
    trace_id, answer = ask("/no/such/path")
    web, application = receiver.wait_for(2, trace_id=trace_id)
    assert (answer.status, web.service, application.parent_id) == (404, "multi-tier-web", web.span_id)
    assert (application.name, application.error) == ("GET", False)
    assert application.attributes["http.response.status_code"] == 404
    assert "http.route" not in application.attributes


def test_a_failure_marks_the_spans_that_failed(ask: Ask, receiver: Receiver, traced: TracedTiers) -> None:
    traced.guest.run("sh", "-c", STOP_DATABASE)
    try:
        asked = [ask("/api/v1/accounts/1") for _ in range(3)]
    finally:
        traced.guest.run("sh", "-c", START_DATABASE)
    trace_id, answer = asked[-1]
    assert answer.status == 503
    spans = by_name(receiver.wait_for(4, trace_id=trace_id))
    assert all(span.error for span in spans.values())
    assert spans["connect"].attributes["error.type"] == "ConnectionRefusedError"
    assert spans["connect"].parent_id == spans["acquire connection"].span_id
    assert spans["GET"].attributes["error.type"] == "503"
    assert traced.guest.get_until(f"{WEB}/ready", 200).status == 200


def test_only_a_request_that_opens_a_connection_has_a_connect_span(
    ask: Ask, receiver: Receiver, traced: TracedTiers
) -> None:
    drop_connections(traced.guest)
    opening, following = (ask("/api/v1/accounts/1")[0] for _ in range(2))
    spans = by_name(receiver.wait_for(5, trace_id=opening))
    assert spans["acquire connection"].holds(spans["connect"])
    assert "connect" not in by_name(receiver.wait_for(4, trace_id=following))


def test_spans_continue_across_a_rotation_of_the_log(ask: Ask, receiver: Receiver, traced: TracedTiers) -> None:
    traces = [ask("/api/v1/accounts/1")[0]]
    traced.guest.run("mv", ACCESS_LOG, f"{ACCESS_LOG}.1")
    traces.append(ask("/api/v1/accounts/2")[0])  # nginx still writes to the old file
    traced.guest.run("sh", "-c", "kill -USR1 $(cat /opt/test/traced/nginx.pid)")
    traces += [ask("/api/v1/accounts/3")[0] for _ in range(3)]
    for trace_id in traces:
        spans = receiver.wait_for(4, trace_id=trace_id)
        assert [span.service for span in spans].count("multi-tier-web") == 1
    assert traced.guest.read(ACCESS_LOG)


@pytest.mark.parametrize("trouble", ["refuses", "hangs"])
def test_a_failing_collector_delays_no_request(
    ask: Ask, receiver: Receiver, monkeypatch: pytest.MonkeyPatch, trouble: str
) -> None:
    if trouble == "refuses":
        monkeypatch.setattr(receiver, "status", 503)
    else:
        monkeypatch.setattr(receiver, "seconds", 0.8)
    answers = [ask("/api/v1/accounts/1") for _ in range(15)]
    assert {answer.status for _, answer in answers} == {200}
    assert max(answer.seconds for _, answer in answers) < 0.7
    monkeypatch.undo()
    trace_id, _ = ask("/api/v1/accounts/1")
    receiver.wait_for(4, trace_id=trace_id, seconds=10)


def test_span_ids_are_unique_and_no_span_ends_before_it_starts(receiver: Receiver) -> None:
    assert len({(span.trace_id, span.span_id) for span in receiver.spans}) == len(receiver.spans) > 0
    assert list(itertools.filterfalse(lambda span: span.start <= span.end, receiver.spans)) == []
