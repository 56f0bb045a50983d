"""The data disk, measured by the real fio, and its figures as the application serves them."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.guest.guest_root import GuestRoot
from tests.guest.guest_sql import sql
from tests.guest.running_tiers import APPLICATION
from tests.unit.cloudinit.guest_examples import database, parse

MOUNT = "/mnt/data-disk"  # files in memory take no direct I/O before Linux 6.6
FIGURES = f"{MOUNT}/storage-figures-1s.json"
JOBS = {"random-read", "random-write", "log-write"}


@pytest.fixture
def measured(tiers: GuestRoot) -> Iterator[GuestRoot]:
    """The running tiers, with the files that measure a disk."""
    files = {file["path"]: file for file in parse(database(fio_seconds=1))["write_files"]}
    for path in (
        "/usr/local/sbin/virtwork-storage-figures",
        "/etc/virtwork/storage.fio",
        "/etc/virtwork/store-figures.sql",
    ):
        tiers.write(path, files[path]["content"], int(files[path]["permissions"], 8))
    tiers.write("/etc/virtwork/database.conf", f"MOUNT={MOUNT}\nFIO_SECONDS=1\n")
    tiers.run("install", "-d", MOUNT)
    yield tiers
    sql(tiers, "DELETE FROM storage_figures")
    tiers.run("rm", "-r", MOUNT)


def test_there_are_no_figures_before_a_measurement(tiers: GuestRoot) -> None:
    answer = tiers.get(f"{APPLICATION}/api/v1/storage")

    assert (answer.status, answer.json) == (
        404,
        {"error": "no benchmark results: set database.fio.enabled in the stack's configuration"},
    )


def test_a_disk_is_measured_once_and_its_figures_are_served(measured: GuestRoot) -> None:
    said = measured.run("virtwork-storage-figures", "measure")
    assert "benchmarking the data disk for about 3 s" in said
    assert "results stored" in measured.run("virtwork-storage-figures", "store")
    for again in ("measure", "store"):
        assert measured.run("virtwork-storage-figures", again) == ""

    answer = measured.get(f"{APPLICATION}/api/v1/storage")
    assert answer.status == 200
    assert answer.json["seconds"] == 1
    assert set(answer.json["jobs"]) == JOBS
    for job in answer.json["jobs"].values():
        assert job["operations_per_second"] > 0
        assert job["bytes_per_second"] == pytest.approx(job["operations_per_second"] * 8192, rel=0.05)
        assert 0 <= job["p50_ms"] <= job["p99_ms"]  # syncing a file in memory takes less than a microsecond
    raw = {job["jobname"]: job for job in json.loads(measured.read(FIGURES))["jobs"]}
    synced = raw["log-write"]["sync"]["lat_ns"]["percentile"]
    assert answer.json["jobs"]["log-write"]["p99_ms"] == pytest.approx(synced["99.000000"] / 1e6, abs=0.001)
    read = raw["random-read"]["read"]["clat_ns"]["percentile"]
    assert answer.json["jobs"]["random-read"]["p99_ms"] == pytest.approx(read["99.000000"] / 1e6, abs=0.001)
    assert measured.run("ls", MOUNT).split() == ["storage-figures-1s.json", "storage-figures-1s.json.stored"]


def test_a_disk_that_cannot_be_measured_has_no_figures(measured: GuestRoot) -> None:
    measured.write("/opt/test/broken/fio", "#!/bin/sh\necho it is broken >&2\nexit 1\n", 0o755)
    said = measured.run("env", "PATH=/opt/test/broken:/usr/bin", "/usr/local/sbin/virtwork-storage-figures", "measure")

    assert "no benchmark: fio failed" in said
    assert measured.run("virtwork-storage-figures", "store") == ""


def test_a_full_disk_is_not_measured(measured: GuestRoot) -> None:
    measured.write("/opt/test/full/df", "#!/bin/sh\necho Avail\necho 899\n", 0o755)
    said = measured.run("env", "PATH=/opt/test/full:/usr/bin", "/usr/local/sbin/virtwork-storage-figures", "measure")

    assert "no benchmark: it needs 900 MiB of free space for a while, and 899 MiB are free" in said
