"""Setting up the database, by the real script with the image's PostgreSQL."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.guest.guest_root import GuestRoot, guest_root
from tests.guest.running_tiers import AS_POSTGRES, SERVER
from tests.unit.cloudinit.guest_examples import database

CLUSTER = "/srv/database/cluster"


@pytest.fixture(scope="module")
def set_up(image: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GuestRoot]:
    """An image of its own, set up with scale 1 and with one line of history."""
    with guest_root(image, tmp_path_factory.mktemp("disk")) as guest:
        guest.write_files(database(scale=1))
        # The mount point is a plain directory.
        guest.write("/opt/test/mounted/mountpoint", "#!/bin/sh\n", 0o755)
        guest.run("install", "-d", "-o", "postgres", "-g", "postgres", "/srv/database", "/run/postgresql")
        assert "created the pgbench tables with scale 1" in run_setup(guest)
        with_server(guest, "INSERT INTO pgbench_history (tid, bid, aid, delta) VALUES (1, 1, 1, 42)")
        yield guest


def run_setup(guest: GuestRoot, *, status: int = 0, **settings: object) -> str:
    """Run the script with changed settings, and return its output; no server may be left."""
    before = guest.read("/etc/virtwork/database.conf")
    guest.write("/etc/virtwork/database.conf", before + "".join(f"{key}={value}\n" for key, value in settings.items()))
    script = "/usr/local/sbin/virtwork-database-setup; echo status $?"
    said = guest.run("env", "PATH=/opt/test/mounted:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin", "sh", "-c", script)
    guest.write("/etc/virtwork/database.conf", before)
    assert f"status {status}\n" in said, said
    assert guest.run("sh", "-c", "pgrep --list-full --full 'bin/[p]ostgres' || true") == ""
    return said


def with_server(guest: GuestRoot, query: str) -> str:
    """Return a query's result from the set-up cluster."""
    options = "--options '-c config_file=/etc/virtwork/postgresql.conf'"
    control = f"{SERVER}/pg_ctl --pgdata {CLUSTER} --wait --silent --log {CLUSTER}/log"
    guest.run("sh", "-c", f"{control} {options} start")
    try:
        return guest.run(*AS_POSTGRES.split(), "psql", "-XqtA", "--dbname=appdb", f"--command={query}").strip()
    finally:
        guest.run("sh", "-c", f"{control} --mode fast stop")


HISTORY = "SELECT count(*), sum(delta) FROM pgbench_history"


def test_a_second_setup_changes_nothing(set_up: GuestRoot) -> None:
    assert "the pgbench tables have scale 1\n" in run_setup(set_up)
    assert with_server(set_up, HISTORY) == "1|42"


def test_tables_of_another_scale_stay_and_the_setup_is_refused(set_up: GuestRoot) -> None:
    said = run_setup(set_up, status=78, SCALE=2)
    assert "multi-tier database: REFUSED: the pgbench tables have scale 1 instead of 2." in said
    assert "database.allowDataLoss" in said
    assert with_server(set_up, HISTORY) == "1|42"


def test_a_failed_setup_leaves_no_server(set_up: GuestRoot) -> None:
    set_up.write("/etc/virtwork/storage-table.sql", "SELECT no_such_function();\n")
    said = run_setup(set_up, status=3)
    set_up.write_files(database(scale=1))
    assert "no_such_function() does not exist" in said
    assert "parameter not set" not in said


def test_a_server_that_needs_minutes_to_recover_is_waited_for(set_up: GuestRoot) -> None:
    script = set_up.read("/usr/local/sbin/virtwork-database-setup")
    unit = set_up.read("/etc/systemd/system/virtwork-database-setup.service")
    assert "TimeoutStartSec=infinity\n" in unit
    assert "--timeout 86400 " in script


@pytest.mark.parametrize(
    ("memory", "buffers", "maintenance"),
    [(256, "64MB", "16MB"), (2048, "512MB", "128MB"), (16384, "4096MB", "1024MB"), (65536, "16384MB", "2048MB")],
)
def test_the_server_is_sized_by_its_machines_memory(
    set_up: GuestRoot, memory: int, buffers: str, maintenance: str
) -> None:
    run_setup(set_up, MEMORY=memory)  # which starts the server
    text = set_up.read("/etc/virtwork/postgresql-size.conf")
    found = dict(re.findall(r"^(\w+) = (\w+)$", text, re.M))
    assert (found["shared_buffers"], found["maintenance_work_mem"]) == (buffers, maintenance)


def test_a_server_without_settings_for_its_memory_takes_the_machines(set_up: GuestRoot) -> None:
    set_up.run("sed", "-i", "/^MEMORY=/d", "/etc/virtwork/database.conf")
    set_up.run("virtwork-size-server")
    set_up.write_files(database(scale=1))
    total = int(re.findall(r"MemTotal: +(\d+) kB", Path("/proc/meminfo").read_text())[0]) // 1024
    assert f"shared_buffers = {total // 4}MB\n" in set_up.read("/etc/virtwork/postgresql-size.conf")


def test_tables_of_another_scale_are_recreated_with_consent(set_up: GuestRoot) -> None:
    said = run_setup(set_up, SCALE=2, ALLOW_DATA_LOSS=1)
    assert "the pgbench tables have scale 1 instead of 2: recreating them" in said
    assert with_server(set_up, HISTORY) == "0|"
    assert with_server(set_up, "SELECT count(*) FROM pgbench_branches") == "2"
