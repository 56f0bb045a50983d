"""Settings of disks: sources of the root disk, the data disk, its measurement."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.components.settings.refused import named, refusals

URL = "https://images.example/debian-12.qcow2"
CLAIM = {"name": "debian-12", "namespace": "golden"}
IMAGE = 'must be a container image such as "quay.io/containerdisks/debian:12"'
IMAGE_URL = 'must be the URL of a disk image such as "https://images.example/debian-12.qcow2"'
NEEDS_ONE = "needs one of containerDisk, dataSource, persistentVolumeClaim, url or registry"
ON_CONTAINER_DISK = "has no effect on a containerDisk: remove it"

ROOT_DISKS: list[tuple[dict[str, Any], str]] = [
    ({"containerDisk": "docker://debian"}, f'.containerDisk: "docker://debian" {IMAGE}'),
    ({"registry": "Debian:12 "}, f'.registry: "Debian:12 " {IMAGE}'),
    ({"url": "ftp://images.example/a.qcow2"}, f'.url: "ftp://images.example/a.qcow2" {IMAGE_URL}'),
    ({"url": "https://images.example/"}, f'.url: "https://images.example/" {IMAGE_URL}'),
    ({"dataSource": {"name": "debian"}}, ".dataSource.namespace: is missing"),
    (
        {"registry": f"localhost:5000/debian:12@sha256:{'0' * 64}"},
        f'.registry: "localhost:5000/debian:12@sha256:{"0" * 27}… has a tag and a digest, of which CDI takes only one: '
        "remove the tag",
    ),
    ({"url": URL, "volumeMode": "block"}, '.volumeMode: "block" must be Filesystem or Block'),
    ({}, f": {NEEDS_ONE}"),
    ({"storageClass": "fast"}, f": {NEEDS_ONE}"),
    ({"url": URL, "registry": "debian:12"}, ": has url and registry: keep one"),
    ({"containerDisk": "debian:12", "dataSource": CLAIM}, ": has containerDisk and dataSource: keep one"),
    ({"containerDisk": "debian:12", "size": "20Gi"}, f'.size: "20Gi" {ON_CONTAINER_DISK}'),
    ({"containerDisk": "debian:12", "volumeMode": "Block"}, f'.volumeMode: "Block" {ON_CONTAINER_DISK}'),
]

DATABASES: list[tuple[dict[str, Any], str]] = [
    (
        {"dataDisk": "10Gi"},
        'dataDisk: "10Gi" must be a mapping with some of the keys size, storageClass, accessMode, volumeMode, keep',
    ),
    (
        {"dataDisk": {"keep": True}},
        "dataDisk.keep: true has no effect because the namespace is deleted with the stack: "
        "set createNamespace to false",
    ),
    (
        {"fio": {"enabled": True, "runtime": "1h"}},
        'fio.runtime: "1h" must be a duration from 1 second to 10 minutes, such as "10s" or "5m"',
    ),
    (
        {"fio": {"runtime": "20s"}},
        'fio.runtime: "20s" has no effect while enabled is false: set it to true, or remove runtime',
    ),
    (
        {"fio": {"enabled": True, "runtime": "400s"}},
        'fio.runtime: "400s" is too long: 3 jobs take 1200 s, but timeouts.ready is 20m',
    ),
]


@pytest.mark.parametrize(("image", "line"), named(ROOT_DISKS))
def test_a_mistake_about_a_root_disk_is_reported_in_one_line(image: dict[str, Any], line: str) -> None:
    assert refusals({"web": {"image": image}}) == [f"web.image{line}"]


@pytest.mark.parametrize(("database", "line"), named(DATABASES))
def test_a_mistake_about_the_data_disk_is_reported_in_one_line(database: dict[str, Any], line: str) -> None:
    (found,) = refusals({"database": database})

    assert found.startswith(f"database.{line}")
