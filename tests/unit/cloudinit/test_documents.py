"""User data as a whole: golden files, secrets, hostile values, size."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cloudinit import Family, LoadPlan, Profile, render_load_plan
from tests.unit.cloudinit.conftest import outline
from tests.unit.cloudinit.guest_examples import (
    EVERY_GUEST,
    HOSTILE,
    WITH_METRICS,
    application,
    database,
    load,
    parse,
    web,
    web_with_load,
)

hostile = pytest.mark.parametrize("value", HOSTILE.values(), ids=HOSTILE.keys())


def files(user_data: str) -> dict[str, Any]:
    return {file["path"]: file for file in parse(user_data)["write_files"]}


@pytest.mark.parametrize("name", EVERY_GUEST)
def test_each_guest_renders_as_its_golden_file(name: str, golden: Callable[[str, str], None]) -> None:
    base = name.partition("-")[0]
    golden(f"{name}.txt", outline(EVERY_GUEST[name], EVERY_GUEST[base] if name != base else None))


@pytest.mark.parametrize("tier", WITH_METRICS)
def test_metrics_add_to_each_guest_what_its_golden_file_says(tier: str, golden: Callable[[str, str], None]) -> None:
    golden(f"{tier}-with-metrics.txt", outline(WITH_METRICS[tier], EVERY_GUEST[tier]))


def test_the_load_plan_renders_as_its_golden_file(golden: Callable[[str, str], None]) -> None:
    plan = LoadPlan(
        profile=Profile.SPIKE,
        rps=50,
        peak=200,
        seconds=60,
        concurrency=20,
        accounts=1_000_000,
        mix={"random": 80, "hot": 8, "missing": 2, "slow": 2, "write": 8},
        seed=1,
    )
    golden("plan.json", render_load_plan(plan))


@hostile
@pytest.mark.parametrize("render", [database, application])
def test_a_hostile_token_is_unchanged_and_only_in_its_own_file(render: Callable[..., str], value: str) -> None:
    written, harmless = files(render(token=value)), files(render())
    file = written.pop("/etc/virtwork/api/token")
    assert (file["content"], file["permissions"]) == (value, "0600")
    del harmless["/etc/virtwork/api/token"]
    assert written == harmless


@settings(max_examples=20)
@example("\x85")
@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1))
def test_any_token_is_unchanged(token: str) -> None:
    assert files(application(token=token))["/etc/virtwork/api/token"]["content"] == token


def test_no_guests_repr_shows_its_token() -> None:
    assert "the-token" not in repr(load("the-token"))


def test_the_token_is_only_in_a_file_that_only_root_can_read() -> None:
    user_data = web_with_load(token="the-token")
    assert user_data.count("the-token") == 1
    file = files(user_data)["/etc/virtwork/load-api/token"]
    assert (file["content"], file["permissions"]) == ("the-token", "0600")


def test_only_the_first_web_guest_generates_load() -> None:
    assert not [path for path in files(web()) if "load" in path]
    assert [path for path in files(web_with_load()) if "load" in path]


@pytest.mark.parametrize("family", Family)
@pytest.mark.parametrize("name", EVERY_GUEST)
def test_a_document_is_far_smaller_than_a_secret_can_be(name: str, family: Family) -> None:
    assert len(EVERY_GUEST[name](family).encode()) < 192 * 1024


@pytest.mark.parametrize("name", EVERY_GUEST)
def test_cloud_init_itself_installs_nothing_and_contacts_no_mirror(name: str) -> None:
    document = parse(EVERY_GUEST[name](Family.DEBIAN))
    assert "packages" not in document
    assert document["package_update"] is False
