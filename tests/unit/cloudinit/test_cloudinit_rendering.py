"""What the renderers write: whole documents, and hostile values in them."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from jinja2 import UndefinedError

from cloudinit import ApplicationGuest, DatabaseGuest, Family, LoadPlan, Profile, packages, render_load_plan
from cloudinit.guest_files import shell_settings, source, unit_settings
from tests.unit.cloudinit.conftest import outline
from tests.unit.cloudinit.guest_examples import (
    EVERY_GUEST,
    HOSTILE,
    PASSWORD,
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
def test_a_hostile_password_arrives_unchanged_and_only_in_its_own_file(render: Callable[..., str], value: str) -> None:
    written, harmless = files(render(password=value)), files(render(password=PASSWORD))
    file = written.pop("/etc/virtwork/database-password")
    assert (file["content"], file["permissions"]) == (value + "\n", "0600")
    del harmless["/etc/virtwork/database-password"]
    assert written == harmless


@settings(max_examples=50)
@example("\x85")
@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1))
def test_any_password_at_all_arrives_unchanged(password: str) -> None:
    written = files(application(password=password))
    assert written["/etc/virtwork/database-password"]["content"] == password + "\n"


@pytest.mark.parametrize("password", ["", "with\0nul"])
def test_a_password_that_postgresql_cannot_have_is_refused_without_being_repeated(password: str) -> None:
    with pytest.raises(ValueError, match="database password") as database_error:
        DatabaseGuest(hostname="d", family=Family.DEBIAN, password=password, scale=1, data_disk_serial="database")
    with pytest.raises(ValueError, match="database password"):
        ApplicationGuest(hostname="a", family=Family.DEBIAN, password=password, database_host="d")
    assert "with" not in str(database_error.value)


def test_no_guest_shows_its_secrets_when_printed() -> None:
    guest = DatabaseGuest(hostname="d", family=Family.DEBIAN, password=PASSWORD, scale=1, data_disk_serial="database")
    assert PASSWORD not in repr(guest)
    assert "the-token" not in repr(load("the-token"))


@hostile
def test_a_hostile_value_cannot_leave_its_shell_setting(value: str) -> None:
    script = shell_settings(FIRST=value, SECOND=2) + 'printf "%s|%s" "$FIRST" "$SECOND"'
    done = subprocess.run(["sh", "-eu"], input=script.encode(), capture_output=True, check=True)
    assert done.stdout.decode() == f"{value}|2"


@hostile
def test_a_hostile_value_cannot_leave_its_unit_setting(value: str) -> None:
    # systemd reads double quotes as a shell does (systemd.exec, EnvironmentFile=); shlex knows two of the escapes.
    line = unit_settings(NAME=value).replace("\\$", "$").replace("\\`", "`")
    assert shlex.split(line) == [f"NAME={value}"]


def test_a_token_is_in_a_file_for_root_only() -> None:
    user_data = web_with_load(token="the-token")
    assert user_data.count("the-token") == 1
    file = files(user_data)["/etc/virtwork/load-plan.token"]
    assert (file["content"], file["permissions"]) == ("the-token", "0600")


def test_only_the_first_web_guest_generates_load() -> None:
    assert not [path for path in files(web()) if "load" in path]
    assert [path for path in files(web_with_load()) if "load" in path]


@pytest.mark.parametrize("family", Family)
@pytest.mark.parametrize("name", EVERY_GUEST)
def test_a_document_stays_far_below_what_a_secret_can_hold(name: str, family: Family) -> None:
    assert len(EVERY_GUEST[name](family).encode()) < 128 * 1024


@pytest.mark.parametrize("name", EVERY_GUEST)
def test_cloud_init_itself_installs_nothing_and_asks_no_mirror(name: str) -> None:
    document = parse(EVERY_GUEST[name](Family.DEBIAN))
    assert "packages" not in document
    assert document["package_update"] is False


def test_the_data_disk_is_named_by_its_serial_and_never_overwritten() -> None:
    document = parse(database())
    (filesystem,) = document["fs_setup"]
    (mount,) = document["mounts"]
    assert filesystem["device"] == mount[0] == "/dev/disk/by-id/virtio-database"
    assert filesystem["overwrite"] is False
    assert "blkid --probe" in filesystem["cmd"]


def test_the_families_differ_in_packages_and_agree_on_what_is_there() -> None:
    assert "nginx-light" in packages(Family.DEBIAN)
    assert {"nginx", "postgresql-server"} <= set(packages(Family.FEDORA))
    assert set(files(database(Family.DEBIAN))) - set(files(database(Family.FEDORA))) == {
        "/etc/postgresql-common/createcluster.conf",
        "/etc/systemd/system/postgresql@.service.d/virtwork.conf",
    }


def test_a_template_with_an_unknown_name_is_refused() -> None:
    with pytest.raises(UndefinedError, match="'user' is undefined"):
        source("web/nginx.conf.j2")


@pytest.mark.parametrize("family", Family)
def test_fio_is_in_the_guest_only_where_it_is_wanted(family: Family) -> None:
    plain, with_fio = parse(database(family)), parse(database(family, fio_seconds=10))

    assert "fio" not in plain["runcmd"][0]
    assert with_fio["runcmd"][0] == [*plain["runcmd"][0], "fio"]
    assert len(with_fio["write_files"]) == len(plain["write_files"]) + 3
