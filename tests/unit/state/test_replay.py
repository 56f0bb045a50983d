"""What a journal makes of a state."""

from __future__ import annotations

from itertools import count
from typing import Any

import pytest

from state.replay import Document, Kind, UnknownEntryError, replay

STACK = "urn:pulumi:one::many::pulumi:pulumi:Stack::many-one"


def urn(name: str, kind: str = "a:b:C") -> str:
    return f"urn:pulumi:one::many::{kind}::{name}"


def resource(name: str, **fields: Any) -> Document:
    return {"urn": urn(name), "type": "a:b:C", "custom": True, **fields}


def base(*resources: Document, **fields: Any) -> Document:
    manifest = {"time": "2026-01-01T00:00:00Z", "magic": "m", "version": "v3"}
    return {"manifest": manifest, "resources": list(resources), **fields}


SEQUENCE = count(1)


def entry(kind: int, number: int = 0, **fields: Any) -> Document:
    return {"version": 1, "kind": kind, "sequenceID": next(SEQUENCE), "operationID": number, **fields}


def names(state: Document) -> list[str]:
    return [one["urn"].rpartition("::")[2] for one in state["resources"]]


def test_without_entries_a_state_stays_as_it_is() -> None:
    before = base(resource("a"), resource("b"))
    after = replay(before, [])
    assert after["resources"] == before["resources"]
    assert {**after["manifest"], "time": ""} == {**before["manifest"], "time": ""}


def test_what_has_begun_is_pending_until_it_ends() -> None:
    operation = {"type": "creating", "resource": resource("a")}
    begun = entry(Kind.BEGIN, 1, operation=operation)
    assert replay(base(), [begun])["pending_operations"] == [operation]
    failed = replay(base(), [begun, entry(Kind.FAILURE, 1)])
    assert (failed["pending_operations"], failed["resources"]) == ([], [])
    created = replay(base(), [begun, entry(Kind.SUCCESS, 1, state=resource("a", id="1"))])
    assert (created["pending_operations"], names(created)) == ([], ["a"])


def test_an_update_takes_the_place_of_the_former_state_and_new_ones_come_first() -> None:
    after = replay(
        base(resource("a", inputs={"x": 1}), resource("b")),
        [entry(Kind.SUCCESS, 1, state=resource("a", inputs={"x": 2}), removeOld=0)],
    )
    assert [(one["urn"], one.get("inputs")) for one in after["resources"]] == [(urn("a"), {"x": 2}), (urn("b"), None)]


def test_a_deleted_resource_is_gone_whether_it_was_there_before_or_is_new() -> None:
    created = entry(Kind.SUCCESS, 1, state=resource("new"))
    gone = [entry(Kind.SUCCESS, 2, removeOld=0), entry(Kind.SUCCESS, 3, removeNew=1)]
    assert names(replay(base(resource("old"), resource("b")), [created, *gone])) == ["b"]


def test_a_replaced_resource_is_marked_until_it_is_deleted() -> None:
    before = base(resource("a", id="1"))
    marked = entry(Kind.SUCCESS, 1, state=resource("a", id="2"), deleteOld=0)
    found = replay(before, [marked])["resources"]
    assert [(one["id"], one.get("delete")) for one in found] == [("2", None), ("1", True)]
    waiting = entry(Kind.SUCCESS, 1, pendingReplacementOld=0)
    assert replay(before, [waiting])["resources"][0]["pendingReplacement"]


def test_outputs_are_those_that_were_registered_last() -> None:
    created = entry(Kind.SUCCESS, 1, state=resource("a"))
    registered = entry(Kind.OUTPUTS, 2, state=resource("a", outputs={"x": 1}), removeNew=1)
    unchanged = entry(Kind.OUTPUTS, 3, state=resource("b", outputs={"x": 2}), removeOld=0)
    found = replay(base(resource("b")), [created, registered, unchanged])["resources"]
    assert [one["outputs"] for one in found] == [{"x": 1}, {"x": 2}]


def test_nothing_depends_on_what_a_refresh_found_missing() -> None:
    missing, child = resource("a"), resource("b", parent=urn("a"), dependencies=[urn("a")])
    child |= {"propertyDependencies": {"x": [urn("a")]}, "deletedWith": urn("a")}
    after = replay(base(missing, child), [entry(Kind.REFRESH_SUCCESS, 1, removeOld=0)])
    assert after["resources"] == [resource("b", dependencies=[], propertyDependencies={"x": []})]


def test_what_follows_a_refresh_is_about_the_state_after_it() -> None:
    refreshed, rebuilt = entry(Kind.REFRESH_SUCCESS, 1, removeOld=0), entry(Kind.REBUILT_BASE)
    deleted = entry(Kind.SUCCESS, 2, removeOld=0)
    after = replay(base(resource("a"), resource("b"), resource("c")), [refreshed, rebuilt, deleted])
    assert names(after) == ["c"]


def test_references_to_a_renamed_resource_use_its_new_name() -> None:
    renamed = resource("new", aliases=[urn("old")])
    child = {**resource("child"), "urn": urn("child", "a:b:C$d:e:F"), "type": "d:e:F", "parent": urn("old")}
    child |= {"dependencies": [urn("old")], "provider": f"{urn('old')}::id"}
    after = replay(base(resource("old"), child), [entry(Kind.SUCCESS, 1, state=renamed, removeOld=0)])["resources"]
    assert after[0] == resource("new")
    assert (after[1]["parent"], after[1]["dependencies"], after[1]["provider"]) == (
        urn("new"), [urn("new")], f"{urn('new')}::id",
    )  # fmt: skip


def test_entries_that_were_sent_twice_or_late_count_once_and_in_order() -> None:
    created, deleted = entry(Kind.SUCCESS, 1, state=resource("a")), entry(Kind.SUCCESS, 2, removeNew=1)
    assert replay(base(), [deleted, created, created])["resources"] == []


def test_a_creation_that_an_earlier_update_left_pending_stays_so_until_somebody_clears_it() -> None:
    pending = {"type": "creating", "resource": resource("a")}
    before = base(pending_operations=[pending, {"type": "updating", "resource": resource("b")}])
    assert replay(before, [])["pending_operations"] == [pending]
    assert replay(before, [entry(Kind.WRITE, newSnapshot=base())])["pending_operations"] == []


def test_the_secrets_provider_is_the_last_one() -> None:
    provider = {"type": "passphrase", "state": {"salt": "s"}}
    assert replay(base(), [entry(Kind.SECRETS_MANAGER, secretsProvider=provider)])["secrets_providers"] == provider


def test_an_entry_of_a_later_engine_is_not_passed_over() -> None:
    with pytest.raises(UnknownEntryError, match="kind 99"):
        replay(base(), [entry(99)])
