from typing import Any
from unittest.mock import Mock

import pytest

from kube.errors import StatusError, UnreachableError
from kube.informer import Informer
from kube.resources import PODS, Object


def pod(name: str, version: str) -> Object:
    return {"metadata": {"namespace": "shop", "name": name, "uid": name, "resourceVersion": version}}


class EndOfScriptError(BaseException):
    pass


def run(lists: list[Any], *watches: Any) -> tuple[Informer, list[tuple[str, bool]], list[str]]:
    """Run an informer on prepared responses; return it, its changes, and the versions that it watched from."""
    api = Mock(**{"list.side_effect": lists, "watch.side_effect": [*watches, EndOfScriptError]})
    changes: list[tuple[str, bool]] = []
    informer = Informer(api, PODS, lambda item, present: changes.append((item["metadata"]["name"], present)))
    with pytest.raises(EndOfScriptError):
        informer.run()
    return informer, changes, [call.args[1] for call in api.watch.mock_calls]


def test_the_cache_follows_list_and_watch() -> None:
    events = [("ADDED", pod("b", "2")), ("MODIFIED", pod("a", "3")), ("DELETED", pod("b", "4"))]
    informer, changes, _ = run([([pod("a", "1")], "1")], events)
    assert changes == [("a", True), ("b", True), ("a", True), ("b", False)]
    assert informer.synced.is_set()
    assert informer.all() == [pod("a", "3")]
    assert informer.get("shop", "b") is None


def test_a_watch_that_ends_resumes_from_the_last_bookmark() -> None:
    _, changes, versions = run([([], "1")], [("BOOKMARK", pod("", "9"))])
    assert (changes, versions) == ([], ["1", "9"])


@pytest.mark.parametrize("error", [UnreachableError("broken"), StatusError("watch", 410, "too old"), KeyError("name")])
def test_a_failed_watch_lists_again_and_reports_missed_deletions(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    monkeypatch.setattr("kube.informer._RETRY_SECONDS", 0)
    _, changes, versions = run([([pod("a", "1"), pod("b", "1")], "1"), ([pod("b", "5")], "5")], error)
    assert changes == [("a", True), ("b", True), ("a", False), ("b", True)]
    assert versions == ["1", "5"]


def test_the_response_to_a_change_is_in_the_cache_before_the_watch_reports_it() -> None:
    informer, _, _ = run([([pod("a", "1")], "1")])
    informer.put(pod("a", "3"))
    assert informer.get("shop", "a") == pod("a", "3")

    informer._update(pod("a", "2"), present=True)
    assert informer.get("shop", "a") == pod("a", "3"), "an older event doesn't undo it"


def test_the_response_to_a_change_does_not_bring_back_what_is_gone() -> None:
    informer, _, _ = run([([pod("a", "1")], "1")], [("DELETED", pod("a", "2"))])
    informer.put(pod("a", "3"))
    assert informer.all() == []
