"""The database guest: its disk, and what differs by family and by setting."""

from __future__ import annotations

import pytest

from cloudinit import Family, packages
from tests.unit.cloudinit.guest_examples import database, installed, parse


def paths(user_data: str) -> set[str]:
    return {file["path"] for file in parse(user_data)["write_files"]}


def test_the_data_disk_is_found_by_its_serial_and_never_overwritten() -> None:
    document = parse(database())
    (filesystem,) = document["fs_setup"]
    (mount,) = document["mounts"]
    assert filesystem["device"] == mount[0] == "/dev/disk/by-id/virtio-database"
    assert filesystem["overwrite"] is False
    assert filesystem["cmd"] == "/usr/local/sbin/virtwork-format-disk %(device)s %(label)s"
    assert "/usr/local/sbin/virtwork-format-disk" in paths(database())


def test_the_families_differ_in_packages_and_in_two_files() -> None:
    assert "nginx-light" in packages(Family.DEBIAN)
    assert {"nginx", "postgresql-server"} <= set(packages(Family.FEDORA))
    assert paths(database(Family.DEBIAN)) - paths(database(Family.FEDORA)) == {
        "/etc/postgresql-common/createcluster.conf",
        "/etc/systemd/system/postgresql@.service.d/virtwork.conf",
    }


@pytest.mark.parametrize("family", Family)
def test_fio_is_only_in_a_guest_that_benchmarks_its_disk(family: Family) -> None:
    plain, with_fio = parse(database(family)), parse(database(family, fio_seconds=10))

    assert installed(database(family, fio_seconds=10)) == [*installed(database(family)), "fio"]
    assert len(with_fio["write_files"]) == len(plain["write_files"]) + 3


@pytest.mark.parametrize("allowed", [False, True])
def test_the_guest_may_recreate_tables_only_with_consent(allowed: bool) -> None:
    files = parse(database(allow_data_loss=allowed))["write_files"]
    (settings,) = (file["content"] for file in files if file["path"] == "/etc/virtwork/database.conf")

    assert ("ALLOW_DATA_LOSS=1" in settings.splitlines()) is allowed


def test_the_server_accepts_the_connections_that_replicas_are_counted_with() -> None:
    files = {file["path"]: file["content"] for file in parse(database())["write_files"]}
    lines = files["/etc/virtwork/postgresql.conf"].splitlines()

    assert {"max_connections = 200", "superuser_reserved_connections = 3"} <= set(lines)
