"""States and journals on disk, after whatever a kill has left."""

from __future__ import annotations

import json
import os
import shutil
import time
from pathlib import Path

import pytest

from state import store
from state.store import ConflictError, StackName, Store

ONE = StackName("many", "one")


def created(number: int, name: str) -> dict[str, object]:
    state = {"urn": f"urn:pulumi:one::many::a:b:C::{name}", "type": "a:b:C", "custom": True}
    return {"kind": 1, "sequenceID": number, "operationID": number, "state": state}


def names(found: Store) -> list[str]:
    return [one["urn"].rpartition("::")[2] for one in found.state(ONE).get("resources") or ()]


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    Store(tmp_path).create(ONE)
    return tmp_path


def journal(directory: Path) -> Path:
    return directory / ".pulumi" / "journals" / "many" / "one.jsonl"


def checkpoint(directory: Path) -> Path:
    return directory / ".pulumi" / "stacks" / "many" / "one.json"


def test_what_is_appended_is_in_the_state_at_once_and_in_the_checkpoint_at_the_end(directory: Path) -> None:
    found = Store(directory)
    found.begin(ONE, "first")
    found.append(ONE, "first", [created(1, "a")])
    assert names(Store(directory)) == ["a"], "also for another process"
    found.end(ONE, "first")
    assert not journal(directory).exists()
    assert len(json.loads(checkpoint(directory).read_bytes())["checkpoint"]["latest"]["resources"]) == 1


def test_an_entry_that_was_torn_is_left_out(directory: Path) -> None:
    found = Store(directory)
    found.begin(ONE, "first")
    found.append(ONE, "first", [created(1, "a"), created(2, "b")])
    journal(directory).write_bytes(journal(directory).read_bytes()[:-10])
    assert names(found) == ["a"]


def test_what_is_appended_after_a_torn_entry_counts(directory: Path) -> None:
    found = Store(directory)
    found.begin(ONE, "first")
    found.append(ONE, "first", [created(1, "a"), created(2, "b")])
    journal(directory).write_bytes(journal(directory).read_bytes()[:-10])
    Store(directory).append(ONE, "first", [created(2, "b"), created(3, "c")])
    assert names(found) == ["a", "b", "c"]


def test_a_journal_that_a_kill_left_after_its_checkpoint_was_written_counts_once(directory: Path) -> None:
    found = Store(directory)
    found.begin(ONE, "first")
    found.append(ONE, "first", [created(1, "a")])
    left = directory / "left"
    shutil.copy(journal(directory), left)
    found.end(ONE)
    shutil.copy(left, journal(directory))
    assert names(found) == ["a"]
    found.end(ONE)
    assert names(found) == ["a"]
    assert not journal(directory).exists()


def test_a_second_update_waits_for_the_first_until_its_lease_ends(directory: Path) -> None:
    found = Store(directory)
    found.begin(ONE, "first")
    found.append(ONE, "first", [created(1, "a")])
    with pytest.raises(ConflictError, match="`pulumi cancel`"):
        found.begin(ONE, "second")
    long_ago = time.time() - store.LEASE_SECONDS - 1
    os.utime(journal(directory), (long_ago, long_ago))
    found.begin(ONE, "second")
    assert names(found) == ["a"], "what the first one had done is kept"
    with pytest.raises(ConflictError, match="cancelled"):
        found.append(ONE, "first", [created(2, "b")])


def test_a_renewed_lease_has_not_ended(directory: Path) -> None:
    found = Store(directory)
    found.begin(ONE, "first")
    os.utime(journal(directory), (1, 1))
    found.renew(ONE, "first")
    assert found.running(ONE) == "first"


def test_a_cancelled_update_can_say_nothing_more(directory: Path) -> None:
    found = Store(directory)
    found.begin(ONE, "first")
    found.end(ONE)
    with pytest.raises(ConflictError):
        found.append(ONE, "first", [])
    for say in (found.end, found.renew):
        with pytest.raises(ConflictError):
            say(ONE, "first")


def test_only_the_owner_can_read_states_and_journals(directory: Path) -> None:
    Store(directory).begin(ONE, "first")
    for path in (journal(directory), checkpoint(directory)):
        assert path.stat().st_mode & 0o077 == 0
