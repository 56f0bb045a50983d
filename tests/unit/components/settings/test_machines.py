"""Settings of machines: size, root disk, scheduling."""

from __future__ import annotations

from typing import Any

import pytest

from cloudinit import Family
from components.settings import Settings
from tests.unit.components.settings.refused import accepted, named, refusals

WHOLE_CPUS = "must be a whole number from 1 to 128"
QUANTITY = 'must be a quantity above zero with a unit, such as "512Mi" or "2Gi"'
OBJECT_NAME = "must be the name of a Kubernetes object: a-z, 0-9, - and ."
CPUS = 'must be a number of CPUs above zero, such as "500m" or 2'
UNAVAILABLE = 'must be a whole number from 1 to 100, or a percentage from "1%" to "100%"'
LABELS = 'must be a mapping of at least one node label to its value, such as {"disktype": "ssd"}'
LABEL_VALUE = 'must be the value of a label as text, such as "ssd"'
TOLERATIONS = 'must be a list of at least one Pod toleration, such as [{"key": "dedicated", "operator": "Exists"}]'
BOTH = "both size the machine: remove one of them"
KEYS = (
    "family, architecture, size, vcpus, memory, image, instancetype, preference, cpuRequest, memoryRequest, "
    "nodeSelector, tolerations, evictionStrategy, version, replicas, topologySpread, maxUnavailable, pool, canary"
)

INVALID: list[tuple[Any, str]] = [
    ([], f": must be a mapping with some of the keys {KEYS}"),
    (7, f": 7 must be a mapping with some of the keys {KEYS}"),
    ("{", f': "{{" must be a mapping with some of the keys {KEYS}'),
    ({"family": "arch"}, '.family: "arch" must be debian or fedora'),
    ({"family": ["debian"]}, ".family: must be debian or fedora"),
    ({"size": "huge"}, '.size: "huge" must be small, medium or large'),
    ({"architecture": "x86_64"}, '.architecture: "x86_64" must be amd64 or arm64'),
    ({"vcpus": 0}, f".vcpus: 0 {WHOLE_CPUS}"),
    ({"vcpus": 129}, f".vcpus: 129 {WHOLE_CPUS}"),
    ({"vcpus": 1.5}, f".vcpus: 1.5 {WHOLE_CPUS}"),
    ({"vcpus": "2"}, f'.vcpus: "2" {WHOLE_CPUS}'),
    ({"vcpus": True}, f".vcpus: true {WHOLE_CPUS}"),
    ({"replicas": None}, ".replicas: must be a whole number from 1 to 1,000"),
    ({"memory": "2GB"}, f'.memory: "2GB" {QUANTITY}'),
    ({"memory": "0Gi"}, f'.memory: "0Gi" {QUANTITY}'),
    ({"memory": 2}, f".memory: 2 {QUANTITY}"),
    ({"instancetype": "u1/small"}, f'.instancetype: "u1/small" {OBJECT_NAME}'),
    ({"cpuRequest": 0}, f'.cpuRequest: "0" {CPUS}'),
    ({"cpuRequest": True}, f".cpuRequest: true {CPUS}"),
    ({"maxUnavailable": 0}, f'.maxUnavailable: "0" {UNAVAILABLE}'),
    ({"maxUnavailable": "0%"}, f'.maxUnavailable: "0%" {UNAVAILABLE}'),
    ({"maxUnavailable": "101%"}, f'.maxUnavailable: "101%" {UNAVAILABLE}'),
    ({"maxUnavailable": 0.5}, f".maxUnavailable: 0.5 {UNAVAILABLE}"),
    ({"nodeSelector": {}}, f".nodeSelector: {LABELS}"),
    ({"nodeSelector": {"a b": "c"}}, '.nodeSelector: "a b" must be a qualified name such as "example.com/internal"'),
    ({"nodeSelector": {"disktype": True}}, f".nodeSelector.disktype: true {LABEL_VALUE}"),
    ({"nodeSelector": {"disktype": "solid state"}}, f'.nodeSelector.disktype: "solid state" {LABEL_VALUE}'),
    ({"tolerations": []}, f".tolerations: {TOLERATIONS}"),
    (
        {"tolerations": [{"key": "a", "effect": "Never"}]},
        '.tolerations[0].effect: "Never" must be NoSchedule, PreferNoSchedule or NoExecute',
    ),
]

CONTRADICTIONS: list[tuple[Any, str]] = [
    ({"instancetype": "u1.small", "memory": "2Gi"}, f'.memory: "2Gi" and instancetype u1.small {BOTH}'),
    ({"instancetype": "u1.small", "size": "small"}, f'.size: "small" and instancetype u1.small {BOTH}'),
    ({"size": "small", "vcpus": 2}, f".vcpus: 2 and size small {BOTH}"),
    (
        {"size": "medium", "memoryRequest": "3Gi"},
        '.memoryRequest: "3Gi" is more than the machine\'s memory, 2Gi',
    ),
    ({"memory": "128Mi"}, '.memory: "128Mi" is less than the 256Mi that a debian guest needs to boot'),
    (
        {"family": "fedora", "memory": "512Mi"},
        '.memory: "512Mi" is less than the 1Gi that a fedora guest needs to boot',
    ),
    (
        {"tolerations": [{"key": "a"}, {"key": "a", "operator": "Exists", "value": "b"}]},
        '.tolerations[1].value: "b" needs operator Equal: Exists ignores the value',
    ),
    ({"tolerations": [{"value": "b"}]}, ".tolerations[0]: needs key, or operator Exists to tolerate every taint"),
    (
        {"tolerations": [{"key": "a", "tolerationSeconds": 5}]},
        ".tolerations[0].tolerationSeconds: 5 needs effect NoExecute",
    ),
    (
        {"evictionStrategy": "LiveMigrate", "image": {"registry": "debian:12", "accessMode": "ReadWriteOnce"}},
        '.evictionStrategy: "LiveMigrate" needs image.accessMode ReadWriteMany: with ReadWriteOnce no machine can '
        "migrate and drains never finish",
    ),
    (
        {"family": "fedora", "image": {"containerDisk": "quay.io/containerdisks/debian:12"}},
        '.image.containerDisk: "quay.io/containerdisks/debian:12" belongs to the debian family, but family is fedora',
    ),
    (
        {"image": {"url": "https://images.example/Fedora-Cloud-42.qcow2?token=debian"}},
        '.image.url: "https://images.example/Fedora-Cloud-42.qcow2?token=debian" belongs to the fedora family, '
        "but family is debian",
    ),
    (
        {"preference": "centos.stream9"},
        '.preference: "centos.stream9" belongs to the fedora family, but family is debian',
    ),
    (
        {"architecture": "arm64", "image": {"url": "https://images.example/debian-12-amd64.qcow2"}},
        '.image.url: "https://images.example/debian-12-amd64.qcow2" is for amd64, but architecture is arm64',
    ),
    (
        {"image": {"registry": "registry.example/debian-aarch64:12"}},
        '.image.registry: "registry.example/debian-aarch64:12" is for arm64, but architecture is amd64',
    ),
    (
        {"family": "fedora", "preference": "fedora.arm64"},
        '.preference: "fedora.arm64" is for arm64, but architecture is amd64',
    ),
    (
        {"family": "fedora", "architecture": "arm64", "preference": "rhel.10"},
        '.preference: "rhel.10" asks for secure boot, which arm64 machines do not support: use "rhel.10.arm64"',
    ),
]


@pytest.mark.parametrize(
    ("max_unavailable", "machines"),
    [(None, 1), ("25%", 1), ("39%", 1), ("40%", 2), ("100%", 5), ("1%", 1), (2, 2), ("3", 3), (9, 9)],
)
def test_a_share_of_the_machines_is_rounded_down_to_at_least_one(max_unavailable: object, machines: int) -> None:
    chosen = {} if max_unavailable is None else {"maxUnavailable": max_unavailable}
    canary = {"version": "v2", "weight": 1, "replicas": 2}
    settings = accepted(
        {
            "application": {"replicas": 3, "canary": canary, **chosen},
            "web": {"replicas": 5, **chosen},
            "mesh": {"enabled": True},
        }
    )

    assert settings.web.most_unavailable == settings.application.most_unavailable == machines


@pytest.mark.parametrize(("tier", "line"), named([*INVALID, *CONTRADICTIONS]))
def test_a_mistake_about_a_machine_is_reported_in_one_line(tier: Any, line: str) -> None:
    assert refusals({"application": tier}) == [f"application{line}"]


def test_a_database_that_has_to_migrate_needs_a_data_disk_that_can() -> None:
    (line,) = refusals(
        {"database": {"evictionStrategy": "LiveMigrate", "dataDisk": {"accessMode": "ReadWriteOncePod"}}}
    )

    assert line.startswith('database.evictionStrategy: "LiveMigrate" needs dataDisk.accessMode ReadWriteMany')


def test_a_data_disk_has_to_fit_the_scale() -> None:
    assert refusals({"database": {"scale": 1000}}) == [
        'database.dataDisk.size: "10Gi" is too small for scale 1000, which needs 17Gi: 17 MB per unit, plus 1Gi'
    ]


@pytest.mark.parametrize(
    ("key", "source"),
    [
        ("dataSource.name", {"dataSource": {"name": "fedora", "namespace": "golden"}}),
        ("registry", {"registry": "x/fedora"}),
    ],
)
def test_the_image_of_the_database_has_a_version(key: str, source: dict[str, Any]) -> None:
    machine = {"family": "fedora", "image": source}
    (line,) = refusals({"database": machine})

    assert line.startswith(f"database.image.{key}: ")
    assert line.endswith(
        "floats: a later release may have another PostgreSQL, which can't read the data disk. "
        'Name an image with a version, such as registry: "quay.io/containerdisks/fedora:44"'
    )
    assert accepted({"application": machine})


def test_the_root_disk_defaults_to_the_image_of_the_family() -> None:
    settings = accepted({"web": {"family": "fedora"}, "application": {"image": {"containerDisk": "my/image"}}})

    assert settings.web.family is Family.FEDORA
    assert settings.web.root.container_disk == "quay.io/containerdisks/fedora:44"
    assert settings.application.root.container_disk == "my/image"
    assert settings.database.root.container_disk == "quay.io/containerdisks/debian:12"


def test_names_without_an_architecture_fit_every_architecture() -> None:
    on_arm = {
        "architecture": "arm64",
        "preference": "debian",
        "image": {"registry": "quay.io/containerdisks/debian:12"},
    }
    assert accepted(
        {
            "web": on_arm,
            "application": {
                "family": "fedora",
                **on_arm,
                "preference": "fedora.arm64",
                "image": {"registry": "a/fedora:43"},
            },
        }
    )


def test_an_instancetype_is_no_contradiction_to_the_default_size() -> None:
    assert accepted({"web": {"instancetype": "u1.nano", "preference": "debian"}}).web.instancetype == "u1.nano"


def test_a_value_replaces_its_default_and_no_other() -> None:
    settings = accepted({"web": {"replicas": 2}, "createNamespace": "false"})

    assert settings.web.replicas == 2
    assert settings.web.memory == Settings().web.memory
    assert settings.create_namespace is False
