"""The application's ASGI side: which endpoint serves a path, what is refused, and what each response says."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import pytest

from cloudinit.files.application import asgi, validation
from cloudinit.files.application.asgi import Application, Request, Route
from cloudinit.files.application.responses import Refusal, Response

TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"


class KnownError(Exception):
    """What an endpoint may raise."""


async def nothing() -> None:
    """Do nothing."""


async def thing(request: Request) -> Response:
    if request.argument == "broken":
        raise ZeroDivisionError
    if request.argument == "known":
        raise KnownError
    return Response({"thing": request.argument})


async def alive(_: Request) -> Response:
    return Response(b'{"status":"alive"}')


def application(start: Callable[[], Awaitable[None]] = nothing) -> Application:
    routes = [Route("/things/{id}", thing, ("GET", "HEAD", "POST")), Route("/health", alive, probe=True)]
    return Application(routes, {KnownError: lambda _, __: Response({"error": "known"}, 409)}, start, nothing)


@dataclass
class Answer:
    """A response."""

    status: int
    headers: dict[str, str]
    body: Any


def ask(app: Application, path: str, method: str = "GET", **headers: str) -> Answer:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "http.request"}

    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    asyncio.run(app({"type": "http", "path": path, "method": method, "headers": raw}, receive, send))
    start, body = sent
    found = {name.decode(): value.decode() for name, value in start["headers"]}
    assert int(found["content-length"]) == len(body["body"])
    return Answer(start["status"], found, json.loads(body["body"]))


def test_the_last_part_of_a_path_is_the_endpoints_argument() -> None:
    answer = ask(application(), "/things/7", traceparent=TRACEPARENT)
    assert (answer.status, answer.body) == (200, {"thing": "7"})
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["traceparent"] == TRACEPARENT
    assert re.fullmatch(r"app;dur=\d+\.\d{3}", answer.headers["server-timing"])
    assert answer.headers["x-served-by"]


@pytest.mark.parametrize("path", ["/", "*", "/things", "/things/", "/things/1/2", "/health/", "/health/1", "/nothing"])
def test_another_path_is_404(path: str) -> None:
    answer = ask(application(), path)
    assert (answer.status, answer.body) == (404, {"error": "Not Found"})


def test_another_method_is_405_with_those_that_are_allowed() -> None:
    answer = ask(application(), "/things/1", "DELETE")
    assert (answer.status, answer.headers["allow"]) == (405, "GET, HEAD, POST")


def test_an_exception_is_its_failure_or_500(caplog: pytest.LogCaptureFixture) -> None:
    assert ask(application(), "/things/known").status == 409
    assert not caplog.records
    answer = ask(application(), "/things/broken")
    assert (answer.status, answer.body) == (500, {"error": "internal error"})
    assert caplog.records[0].exc_info


def test_too_many_requests_are_refused_but_probes_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asgi, "MOST_REQUESTS", 0)
    app = application()
    answer = ask(app, "/things/1")
    assert (answer.status, answer.headers["retry-after"]) == (503, "1")
    assert ask(app, "/health").status == 200


def test_a_start_that_fails_ends_the_server() -> None:
    async def start() -> None:
        raise OSError("no password")

    sent: list[Any] = []

    async def live() -> None:
        async def send(message: Any) -> None:
            sent.append(message)

        await application(start)({"type": "lifespan"}, nothing_received, send)

    with pytest.raises(OSError, match="no password"):
        asyncio.run(live())
    assert [one["type"] for one in sent] == ["lifespan.startup.failed"]
    assert "no password" in sent[0]["message"]


async def nothing_received() -> Any:
    return {}


def test_a_body_that_does_not_arrive_in_time_is_408(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(validation, "BODY_SECONDS", 0.01)

    async def never() -> Any:
        await asyncio.sleep(60)

    request = Request({"headers": [(b"content-type", b"application/json")]}, never, tracing=False)
    with pytest.raises(Refusal, match=r"did not arrive within 0\.01 s") as caught:
        asyncio.run(validation.delta(request))
    assert caught.value.response.status == 408
