"""A mistake about disks is told in one clear line, with its key, its value and what is allowed."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.components.settings.test_settings_refusals import IMAGE, NEEDS_ONE, OBJECT_NAME, QUANTITY, refusal_of

CLAIM = {"name": "debian-12", "namespace": "golden"}
URL = "https://images.example/debian-12.qcow2"
IMAGE_URL = 'must be the address of a disk image such as "https://images.example/debian-12.qcow2"'
NAMESPACE = "must be 1 to 63 of a-z, 0-9 and -, not beginning or ending with -"
ACCESS_MODE = "must be ReadWriteOnce, ReadWriteOncePod or ReadWriteMany"
OWN_DISK = "is for a disk of the machine's own: a containerDisk brings its own, so remove it"

IMAGES: list[tuple[dict[str, Any], str]] = [
    ({"url": "ftp://images.example/a.qcow2"}, f'url: "ftp://images.example/a.qcow2" {IMAGE_URL}'),
    ({"url": "https://images.example/"}, f'url: "https://images.example/" {IMAGE_URL}'),
    ({"url": "https://me:word@here/a.qcow2"}, f'url: "https://me:word@here/a.qcow2" {IMAGE_URL}'),
    ({"registry": "docker://images/debian"}, f'registry: "docker://images/debian" {IMAGE}'),
    ({"persistentVolumeClaim": {**CLAIM, "name": "A"}}, f'persistentVolumeClaim.name: "A" {OBJECT_NAME}'),
    ({"persistentVolumeClaim": {"name": "a"}}, "persistentVolumeClaim.namespace: is missing"),
    ({"persistentVolumeClaim": {**CLAIM, "namespace": "a.b"}}, f'persistentVolumeClaim.namespace: "a.b" {NAMESPACE}'),
    ({"url": URL, "accessMode": "RWX"}, f'accessMode: "RWX" {ACCESS_MODE}'),
    ({"url": URL, "volumeMode": "block"}, 'volumeMode: "block" must be Filesystem or Block'),
    ({"url": URL, "size": "big"}, f'size: "big" {QUANTITY}'),
    ({"containerDisk": "debian:12", "accessMode": "ReadWriteMany"}, f'accessMode: "ReadWriteMany" {OWN_DISK}'),
    ({"containerDisk": "debian:12", "volumeMode": "Block"}, f'volumeMode: "Block" {OWN_DISK}'),
]
DISKS: list[tuple[dict[str, Any], str]] = [
    ({"accessMode": "ReadOnlyMany"}, f'accessMode: "ReadOnlyMany" {ACCESS_MODE}'),
    ({"volumeMode": "Raw"}, 'volumeMode: "Raw" must be Filesystem or Block'),
    ({"keep": "yes"}, 'keep: "yes" must be true or false'),
    ({"keep": True}, "keep: true keeps nothing while the namespace goes with the stack: set createNamespace to false"),
]

FIO: list[tuple[dict[str, Any], str]] = [
    ({"enabled": "yes"}, 'fio.enabled: "yes" must be true or false'),
    (
        {"enabled": True, "runtime": "1h"},
        'fio.runtime: "1h" must be a duration from 1 second to 10 minutes, such as "10s" or "5m"',
    ),
    (
        {"runtime": "20s"},
        'fio.runtime: "20s" measures nothing while database.fio.enabled is false: set it to true, or remove this',
    ),
    (
        {"enabled": True, "runtime": "200s"},
        'fio.runtime: "200s" is too long: three of it take 600 s, and the machine has to serve within '
        "timeouts.ready 10m",
    ),
]


def lines(config: dict[str, Any]) -> list[str]:
    head, *found = refusal_of(config).split("\n  ")
    assert head == "The stack's configuration has a mistake; nothing was changed."
    return found


@pytest.mark.parametrize(
    ("image", "line"), IMAGES, ids=[f"{line.split(':')[0]} {n}" for n, (_, line) in enumerate(IMAGES)]
)
def test_a_mistake_about_the_root_disk_is_told_in_exactly_one_line(image: dict[str, Any], line: str) -> None:
    assert lines({"web": {"image": image}}) == [f"multi-tier:web.image.{line}"]


@pytest.mark.parametrize(("disk", "line"), DISKS, ids=[line.split(" ")[0] for _, line in DISKS])
def test_a_mistake_about_the_data_disk_is_told_in_exactly_one_line(disk: dict[str, Any], line: str) -> None:
    assert lines({"database": {"dataDisk": disk}}) == [f"multi-tier:database.dataDisk.{line}"]


@pytest.mark.parametrize(("fio", "line"), FIO, ids=[line.split(" ")[0] for _, line in FIO])
def test_a_mistake_about_the_measurement_of_the_disk_is_told_in_exactly_one_line(
    fio: dict[str, Any], line: str
) -> None:
    assert lines({"database": {"fio": fio}}) == [f"multi-tier:database.{line}"]


@pytest.mark.parametrize("other", [{"registry": "debian:12"}, {"persistentVolumeClaim": CLAIM}, {"dataSource": CLAIM}])
def test_a_root_disk_comes_from_one_source_only(other: dict[str, Any]) -> None:
    given = " and ".join(
        key for key in ("dataSource", "persistentVolumeClaim", "url", "registry") if key in {**other, "url": 1}
    )

    assert lines({"web": {"image": {"url": URL, **other}}}) == [f"multi-tier:web.image: has {given}: keep one"]


def test_a_root_disk_of_a_class_still_has_to_come_from_somewhere() -> None:
    assert lines({"web": {"image": {"storageClass": "fast"}}}) == [f"multi-tier:web.image: {NEEDS_ONE}"]


@pytest.mark.parametrize(
    ("image", "key"),
    [
        ({"url": "https://images.example/Fedora-Cloud-42.qcow2?token=debian"}, "url"),
        ({"registry": "registry.example/golden/centos-stream:9"}, "registry"),
        ({"persistentVolumeClaim": {"name": "rhel9", "namespace": "golden"}}, "persistentVolumeClaim.name"),
    ],
)
def test_a_root_disk_of_the_other_family_is_noticed_by_its_name(image: dict[str, Any], key: str) -> None:
    (line,) = lines({"web": {"image": image}})

    assert line.startswith(f"multi-tier:web.image.{key}: ")
    assert line.endswith(" is of the fedora family, but web.family is debian")
