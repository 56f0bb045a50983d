"""The span exporter against a strict receiver: what it sends, and what it does if the collector does not accept it."""

from __future__ import annotations

import itertools
import logging
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from cloudinit.files.common import otlp
from cloudinit.files.common.otlp import Exporter, Kind
from tests.unit.cloudinit.otlp_receiver import Receiver, listening, receiving

TRACE = "0af7651916cd43dd8448eb211c80319c"
NOW = 1_800_000_000.0


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as running:
        yield running


@pytest.fixture
def make(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Exporter]]:
    """Return a factory of exporters that send quickly."""
    monkeypatch.setattr(otlp, "BATCH_SECONDS", 0.02)
    exporters: list[Exporter] = []

    def exporter(url: str) -> Exporter:
        exporters.append(Exporter(url, "a-service"))
        return exporters[-1]

    yield exporter
    for one in exporters:
        one.close()


numbers = itertools.count(1)


def send(exporter: Exporter, **changes: Any) -> None:
    span: dict[str, Any] = {
        "name": "GET",
        "trace_id": TRACE,
        "span_id": f"{next(numbers):016x}",
        "parent_id": "b7ad6b7169203331",
        "kind": Kind.SERVER,
        "start": NOW,
        "end": NOW + 0.25,
    }
    exporter.span(**(span | changes))


def until(condition: Callable[[], bool], seconds: float = 5) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


def test_a_span_arrives_as_it_was_reported(receiver: Receiver, make: Callable[[str], Exporter]) -> None:
    attributes: dict[str, Any] = {"text": 'quote " ☃ \0', "whole": 2**40, "broken": 0.5, "true": True}
    send(make(receiver.url + "/"), span_id="00f067aa0ba902b7", attributes=attributes, error=True)
    (span,) = receiver.wait_for(1)
    assert (span.service, span.name, span.trace_id, span.span_id) == ("a-service", "GET", TRACE, "00f067aa0ba902b7")
    assert (span.parent_id, span.kind, span.error) == ("b7ad6b7169203331", 2, True)
    assert (span.start, span.end - span.start) == (1_800_000_000 * 10**9, 250_000_000)
    assert span.attributes == attributes


def test_a_root_span_has_no_parent(receiver: Receiver, make: Callable[[str], Exporter]) -> None:
    send(make(receiver.url), parent_id="")
    (span,) = receiver.wait_for(1)
    assert (span.parent_id, span.error, span.attributes) == ("", False, {})


def test_invalid_and_very_long_text_does_not_break_the_batch(
    receiver: Receiver, make: Callable[[str], Exporter]
) -> None:
    send(make(receiver.url), attributes={"half": "\ud800", "long": "x" * 10_000})
    (span,) = receiver.wait_for(1)
    assert span.attributes == {"half": "?", "long": "x" * otlp.LONGEST_TEXT}


def test_times_keep_their_order_to_the_microsecond(receiver: Receiver, make: Callable[[str], Exporter]) -> None:
    exporter = make(receiver.url)
    for microsecond in range(50):
        send(exporter, start=NOW + microsecond / 1e6, end=NOW + (microsecond + 1) / 1e6)
    spans = receiver.wait_for(50)
    assert [span.start - spans[0].start for span in spans] == [1000 * microsecond for microsecond in range(50)]
    assert all(first.end == second.start for first, second in itertools.pairwise(spans))


def test_many_spans_are_sent_in_batches_at_once(
    receiver: Receiver, make: Callable[[str], Exporter], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(otlp, "BATCH_SECONDS", 60)
    exporter = make(receiver.url)
    for _ in range(2000):
        send(exporter)
    receiver.wait_for(1536)
    exporter.close()
    assert len({span.span_id for span in receiver.spans}) == 2000
    assert max(receiver.batches) == otlp.BATCH_SPANS
    assert exporter.dropped == 0


def test_queued_spans_are_sent_on_close(
    receiver: Receiver, make: Callable[[str], Exporter], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(otlp, "BATCH_SECONDS", 60)
    exporter = make(receiver.url)
    send(exporter)
    exporter.close()
    assert len(receiver.spans) == 1


def test_an_unreachable_collector_costs_spans_and_one_log_line_until_it_is_back(
    make: Callable[[str], Exporter], caplog: pytest.LogCaptureFixture
) -> None:
    with listening() as reserved:
        port = reserved.getsockname()[1]
    exporter = make(f"http://127.0.0.1:{port}")
    for count in (1, 2, 3):
        send(exporter)
        until(lambda wanted=count: exporter.dropped == wanted)  # type: ignore[misc]
    with receiving(port=port) as receiver:
        for count in (1, 2):
            send(exporter)
            receiver.wait_for(count)
            until(lambda: len(caplog.records) == 2)
    said = [record.getMessage() for record in caplog.records]
    assert "accepts no spans, dropping them: ConnectionRefusedError" in said[0]
    assert said[1].endswith("accepts all spans again, 3 were dropped")
    assert len(said) == 2


@pytest.mark.parametrize("status", [302, 400, 404, 429, 500, 503])
def test_a_refusing_collector_is_logged_with_its_status(
    receiver: Receiver, make: Callable[[str], Exporter], caplog: pytest.LogCaptureFixture, status: int
) -> None:
    receiver.status = status
    exporter = make(receiver.url)
    send(exporter)
    until(lambda: exporter.dropped == 1)
    assert f"{receiver.url}/v1/traces accepts no spans, dropping them: it responded with {status}" in caplog.text


def test_spans_that_the_collector_rejects_are_counted(
    receiver: Receiver, make: Callable[[str], Exporter], caplog: pytest.LogCaptureFixture
) -> None:
    receiver.answer = {"partialSuccess": {"rejectedSpans": "1", "errorMessage": "too many"}}
    exporter = make(receiver.url)
    send(exporter)
    until(lambda: exporter.dropped == 1)
    until(lambda: "accepts only some of the spans" in caplog.text)


@pytest.mark.parametrize(
    "answer", [[], "text", None, {"partialSuccess": None}, {"partialSuccess": {"rejectedSpans": []}}]
)
def test_a_response_that_is_not_otlp_counts_as_success(
    receiver: Receiver, make: Callable[[str], Exporter], answer: object
) -> None:
    receiver.answer = answer
    exporter = make(receiver.url)
    send(exporter)
    receiver.wait_for(1)
    send(exporter)
    receiver.wait_for(2)
    assert exporter.dropped == 0


def test_a_collector_that_never_responds_blocks_nobody_and_the_queue_is_bounded(
    make: Callable[[str], Exporter], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(otlp, "QUEUE_SPANS", 600)
    monkeypatch.setattr(otlp, "TIMEOUT", 0.3)
    with listening() as deaf:
        exporter = make("http://{}:{}".format(*deaf.getsockname()))
        slowest = 0.0
        for _ in range(5000):
            before = time.perf_counter()
            send(exporter)
            slowest = max(slowest, time.perf_counter() - before)
        assert slowest < 0.2, "reporting a span waited for the collector"
        assert exporter.dropped >= 5000 - 600 - otlp.BATCH_SPANS
        before = time.monotonic()
        exporter.close()
        assert time.monotonic() - before < 1, "the end waited for the collector"


def test_a_response_that_is_not_http_counts_as_unreachable(make: Callable[[str], Exporter]) -> None:
    with listening() as odd:
        exporter = make("http://{}:{}".format(*odd.getsockname()))
        send(exporter)
        client, _ = odd.accept()
        client.recv(100)
        client.sendall(b"220 smtp ready\r\n")
        client.shutdown(socket.SHUT_RDWR)
        until(lambda: exporter.dropped == 1)
        client.close()
        send(exporter)
        odd.accept()[0].close()
        until(lambda: exporter.dropped == 2)


@pytest.mark.parametrize(
    "endpoint", ["", "collector:4317", "grpc://collector:4317", "http://", "http://collector:port"]
)
def test_an_endpoint_that_is_not_a_url_is_rejected(endpoint: str) -> None:
    with pytest.raises(ValueError, match=r"tracing endpoint must be a URL|Port could not be cast"):
        Exporter(endpoint, "a-service").span(
            name="", trace_id="", span_id="", parent_id="", kind=Kind.CLIENT, start=0, end=0
        )


def test_a_password_in_the_endpoint_is_not_logged(
    make: Callable[[str], Exporter], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with listening() as reserved:
        port = reserved.getsockname()[1]
    exporter = make(f"http://user:sesame@127.0.0.1:{port}")
    send(exporter)
    until(lambda: exporter.dropped == 1)
    assert f"127.0.0.1:{port}" in caplog.text
    assert "sesame" not in caplog.text
