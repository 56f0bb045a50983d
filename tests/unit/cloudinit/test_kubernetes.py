"""Following objects of the Kubernetes API, on an HTTPS server."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cloudinit.files.common import kubernetes
from cloudinit.files.common.kubernetes import ApiObject, Contents, SourceError, follow
from tests.unit.api_server import LOAD, NAMESPACE, ApiServer, api_server, certificate

SECRET = ("secrets", "multi-tier-credentials")


@pytest.fixture
def api(tmp_path: Path) -> Iterator[ApiServer]:
    with api_server(tmp_path) as server:
        server.data = {"plan.json": "the plan"}
        yield server


@pytest.fixture
def source(api: ApiServer) -> ApiObject:
    return ApiObject(api.access, *LOAD)


def first(source: ApiObject) -> Contents:
    return next(source.watch())


class Pauses(threading.Event):
    """An event that records how long it is waited for."""

    def __init__(self) -> None:
        super().__init__()
        self.pauses: list[float | None] = []

    def wait(self, timeout: float | None = None) -> bool:
        self.pauses.append(timeout)
        return super().wait(timeout)


@contextmanager
def following(
    source: ApiObject, monkeypatch: pytest.MonkeyPatch, stop: threading.Event | None = None
) -> Iterator[tuple[list[dict[str, str]], list[str]]]:
    """Follow an object with short pauses, and collect its data and the problems."""
    monkeypatch.setattr(kubernetes, "FIRST_PAUSE", 0.02)
    monkeypatch.setattr(kubernetes, "LONGEST_PAUSE", 0.1)
    data: list[dict[str, str]] = []
    problems: list[str] = []
    stop = stop or threading.Event()

    def take(contents: Contents) -> None:
        data.append(contents.data)

    thread = threading.Thread(target=follow, args=(source, take, problems.append, stop), daemon=True)
    thread.start()
    yield data, problems
    stop.set()


def wait_until(length: int, found: list[dict[str, str]] | list[str]) -> None:
    deadline = time.monotonic() + 5
    while len(found) < length:
        assert time.monotonic() < deadline, found
        time.sleep(0.005)


def test_the_contents_now_and_after_each_change_come_over_one_connection(api: ApiServer, source: ApiObject) -> None:
    watch = source.watch()
    assert next(watch).data == {"plan.json": "the plan"}
    for data in ({"plan.json": "another"}, {"plan.json": "a third"}):
        api.data = data
        assert next(watch).data == data
    selected = f"GET {NAMESPACE}/configmaps?fieldSelector=metadata.name%3Dmulti-tier-load"
    assert api.asked == [selected, f"{selected}&watch=1&timeoutSeconds=240&resourceVersion=7"]
    assert api.connections == 1


def test_an_object_may_be_missing_be_created_and_be_deleted(api: ApiServer, source: ApiObject) -> None:
    del api.objects[LOAD]
    watch = source.watch()
    assert next(watch) == Contents({}, {})
    api.data = {"plan.json": "the plan"}
    assert next(watch).data == {"plan.json": "the plan"}
    del api.objects[LOAD]
    assert next(watch) == Contents({}, {})


def test_a_secret_is_read_in_clear_text(api: ApiServer) -> None:
    api.objects[SECRET] = {"password": "p\u00e4ss"}
    assert first(ApiObject(api.access, *SECRET)).data == {"password": "p\u00e4ss"}


def test_an_objects_data_can_be_set(api: ApiServer, source: ApiObject) -> None:
    source.patch({"run.json": "the run"})
    assert api.data == {"plan.json": "the plan", "run.json": "the run"}
    with pytest.raises(SourceError, match="responded with 404"):
        ApiObject(api.access, "configmaps", "another").patch({"key": "value"})


@pytest.mark.parametrize("ended", ["by the server", "by an error"])
def test_a_watch_that_ends_is_followed_by_another(
    api: ApiServer, source: ApiObject, monkeypatch: pytest.MonkeyPatch, ended: str
) -> None:
    api.watch_seconds = 0.05
    api.event = '{"type": "ERROR", "object": {"code": 410}}\n' if ended == "by an error" else None
    with following(source, monkeypatch) as (data, problems):
        wait_until(2, data)
        api.data = {"plan.json": "another"}
        wait_until(len(data) + 2, data)
    assert data[-1] == {"plan.json": "another"}
    assert problems == []


def test_what_fails_is_retried_after_growing_pauses(
    api: ApiServer, source: ApiObject, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = api.access / "token"
    right = token.read_text(encoding="ascii")
    token.write_text("another", encoding="ascii")
    stop = Pauses()
    with following(source, monkeypatch, stop) as (data, problems):
        wait_until(5, problems)
        token.write_text(right, encoding="ascii")
        wait_until(1, data)
    assert set(problems) == {"the API server responded with 401"}
    assert stop.pauses[:5] == [0.02, 0.04, 0.08, 0.1, 0.1]


def test_what_the_follower_can_not_do_is_tried_again(source: ApiObject, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kubernetes, "FIRST_PAUSE", 0.01)
    stop = threading.Event()
    taken: list[Contents] = []
    problems: list[str] = []

    def take(contents: Contents) -> None:
        taken.append(contents)
        if len(taken) == 1:
            raise SourceError("not yet")
        stop.set()

    follow(source, take, problems.append, stop)
    assert (len(taken), problems) == (2, ["not yet"])


def test_a_server_with_another_authority_is_not_trusted(api: ApiServer, source: ApiObject, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    _, other = certificate(tmp_path / "other")
    (api.access / "ca.crt").write_bytes(other.read_bytes())
    with pytest.raises(SourceError, match="certificate verify failed"):
        first(source)


def test_an_unreachable_api_server_is_reported(api: ApiServer, source: ApiObject) -> None:
    (api.access / "url").write_text(f"https://127.0.0.1:1{NAMESPACE}", encoding="ascii")
    with pytest.raises(SourceError, match=r"the API server is unreachable: .*refused"):
        first(source)


@pytest.mark.parametrize(
    "body",
    ["[]", "not JSON", '{"items": [{"data": 3}]}', '{"items": [{"metadata": {"managedFields": [{"time": 1}]}}]}'],
)
def test_a_response_that_is_no_list_is_reported(api: ApiServer, source: ApiObject, body: str) -> None:
    api.body = body
    with pytest.raises(SourceError, match="the API server's response is not a list of objects"):
        first(source)


def test_the_age_of_a_key_comes_from_the_api_servers_clock_alone(
    api: ApiServer, source: ApiObject, monkeypatch: pytest.MonkeyPatch
) -> None:
    api.date = "Sat, 21 Nov 2026 10:00:30 GMT"
    fields: dict[str, object] = {"f:data": {"f:run.json": {}}}
    api.metadata = {
        "managedFields": [
            {"manager": "pulumi", "time": "2026-11-20T10:00:00Z", "fieldsV1": {"f:data": {"f:plan.json": {}}}},
            {"manager": "measure", "time": "2026-11-21T10:00:00Z", "fieldsV1": fields},
            {"manager": "other", "fieldsV1": {"f:metadata": {}}},
        ]
    }
    monkeypatch.setattr(time, "time", lambda: 0.0)
    watch = source.watch()
    assert next(watch).ages == {"plan.json": 86430.0, "run.json": 30.0}
    api.data = {"run.json": "another"}
    assert next(watch).ages["run.json"] == pytest.approx(30, abs=2)


@pytest.mark.parametrize("name", ["url", "ca.crt"])
@pytest.mark.parametrize("text", [None, "", "no certificate \N{SNOWMAN}"])
def test_access_that_is_missing_or_damaged_is_a_problem_and_no_end(
    api: ApiServer, source: ApiObject, name: str, text: str | None
) -> None:
    if text is None:
        (api.access / name).unlink()
    else:
        (api.access / name).write_text(text, encoding="utf-8")
    with pytest.raises(SourceError):
        first(source)
