from collections.abc import Iterator
from typing import Any, cast

import pytest

from kube.client import Api
from kube.errors import StatusError, UnreachableError
from kube.informer import Informer
from kube.resources import PODS, Object


def pod(name: str, version: str) -> Object:
    return {"metadata": {"namespace": "shop", "name": name, "uid": name, "resourceVersion": version}}


class EndOfScriptError(BaseException):
    pass


class ScriptedApi:
    """Returns prepared lists and watches, and ends the informer after the last one."""

    def __init__(self, lists: list[tuple[list[Object], str]], watches: list[list[Any]]) -> None:
        self.lists = lists
        self.watches = watches
        self.watched_from: list[str] = []

    def list(self, *_: object, **__: object) -> tuple[list[Object], str]:
        return self.lists.pop(0)

    def watch(self, _: object, version: str, **__: object) -> Iterator[tuple[str, Object]]:
        self.watched_from.append(version)
        if not self.watches:
            raise EndOfScriptError
        for event in self.watches.pop(0):
            if isinstance(event, Exception):
                raise event
            yield event


Changes = list[tuple[str, bool]]


def run(lists: list[tuple[list[Object], str]], *watches: list[Any]) -> tuple[Informer, ScriptedApi, Changes]:
    """Run an informer to the end of the script; return it with the changes that it reported."""
    api, changes = ScriptedApi(lists, list(watches)), Changes()
    informer = Informer(cast("Api", api), PODS, lambda item, here: changes.append((item["metadata"]["name"], here)))
    with pytest.raises(EndOfScriptError):
        informer.run()
    return informer, api, changes


def test_the_cache_follows_list_and_watch() -> None:
    events = [("ADDED", pod("b", "2")), ("MODIFIED", pod("a", "3")), ("DELETED", pod("b", "4"))]
    informer, _, changes = run([([pod("a", "1")], "1")], events)
    assert changes == [("a", True), ("b", True), ("a", True), ("b", False)]
    assert informer.synced.is_set()
    assert informer.all() == [pod("a", "3")]
    assert informer.get("shop", "b") is None


def test_a_watch_that_ends_resumes_from_the_last_bookmark() -> None:
    _, api, changes = run([([], "1")], [("BOOKMARK", pod("", "9"))])
    assert changes == []
    assert api.watched_from == ["1", "9"]


@pytest.mark.parametrize(
    "error", [UnreachableError("broken"), StatusError("watch", 410, "too old"), KeyError("unexpected object")]
)
def test_a_broken_watch_lists_again_and_reports_missed_deletions(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    monkeypatch.setattr("kube.informer._RETRY_SECONDS", 0)
    _, api, changes = run([([pod("a", "1"), pod("b", "1")], "1"), ([pod("b", "5")], "5")], [error])
    assert changes == [("a", True), ("b", True), ("a", False), ("b", True)]
    assert api.watched_from == ["1", "5"]
