"""A mistake in a stack file is told in one clear line, with its key, its value and what is allowed."""

from __future__ import annotations

import json
from typing import Any

import pulumi
import pytest

from components.settings.configuration import parse

WHOLE_CPUS = "must be a whole number from 1 to 128"
QUANTITY = 'must be a quantity above zero with a unit, such as "512Mi" or "2Gi"'
DURATION = 'must be a duration from 10 seconds to a day, such as "90s", "10m" or "1h"'
IMAGE = 'must be a container image such as "quay.io/containerdisks/debian:12"'
OBJECT_NAME = "must be the name of a Kubernetes object: a-z, 0-9, - and ."
STACK_NAME = "must be 1 to 63 of a-z, 0-9 and -, beginning with a letter"
ADDRESS = 'must be an address such as "http://collector.observability.svc.cluster.local:4318"'
MACHINE_KEYS = (
    "family, size, vcpus, memory, image, instancetype, preference, cpuRequest, memoryRequest, nodeSelector, "
    "tolerations, evictionStrategy"
)
NEEDS_ONE = "needs one of containerDisk, dataSource, persistentVolumeClaim, url or registry"
GOLDEN = {"dataSource": {"name": "debian-12", "namespace": "golden"}}

MISTAKES: list[tuple[str, Any, str]] = [
    # Values of a wrong type or out of range
    ("name", "", f'name: "" {STACK_NAME}'),
    ("name", "3-tier", f'name: "3-tier" {STACK_NAME}'),
    ("name", "Shop", f'name: "Shop" {STACK_NAME}'),
    ("name", "shop_1", f'name: "shop_1" {STACK_NAME}'),
    ("name", "shop\nfront", f'name: "shop\\nfront" {STACK_NAME}'),
    ("name", "a" * 64, f'name: "{"a" * 59}… {STACK_NAME}'),
    ("namespace", "-a", 'namespace: "-a" must be 1 to 63 of a-z, 0-9 and -, not beginning or ending with -'),
    ("createNamespace", "yes", 'createNamespace: "yes" must be true or false'),
    ("createNamespace", 1, "createNamespace: 1 must be true or false"),
    ("database", [], f"database: must be a mapping with some of the keys {MACHINE_KEYS}, scale, dataDisk, fio"),
    ("database", 7, f"database: 7 must be a mapping with some of the keys {MACHINE_KEYS}, scale, dataDisk, fio"),
    ("database", "{", f'database: "{{" must be a mapping with some of the keys {MACHINE_KEYS}, scale, dataDisk, fio'),
    ("database", {"family": "arch"}, 'database.family: "arch" must be debian or fedora'),
    ("database", {"family": ["debian"]}, "database.family: must be debian or fedora"),
    ("database", {"vcpus": 0}, f"database.vcpus: 0 {WHOLE_CPUS}"),
    ("database", {"vcpus": 1.5}, f"database.vcpus: 1.5 {WHOLE_CPUS}"),
    ("database", {"vcpus": "2"}, f'database.vcpus: "2" {WHOLE_CPUS}'),
    ("database", {"vcpus": True}, f"database.vcpus: true {WHOLE_CPUS}"),
    ("database", {"vcpus": 129}, f"database.vcpus: 129 {WHOLE_CPUS}"),
    ("database", {"memory": "2GB"}, f'database.memory: "2GB" {QUANTITY}'),
    ("database", {"memory": "2 Gi"}, f'database.memory: "2 Gi" {QUANTITY}'),
    ("database", {"memory": "-2Gi"}, f'database.memory: "-2Gi" {QUANTITY}'),
    ("database", {"memory": "0Gi"}, f'database.memory: "0Gi" {QUANTITY}'),
    ("database", {"memory": 2}, f"database.memory: 2 {QUANTITY}"),
    ("database", {"scale": 0}, "database.scale: 0 must be a whole number from 1 to 20,000"),
    (
        "database",
        {"dataDisk": "10Gi"},
        'database.dataDisk: "10Gi" must be a mapping with some of the keys '
        "size, storageClass, accessMode, volumeMode, keep",
    ),
    ("database", {"dataDisk": {"size": "big"}}, f'database.dataDisk.size: "big" {QUANTITY}'),
    (
        "database",
        {"dataDisk": {"storageClass": "Fast SSD"}},
        f'database.dataDisk.storageClass: "Fast SSD" {OBJECT_NAME}',
    ),
    ("application", {"replicas": 0}, "application.replicas: 0 must be a whole number from 1 to 100"),
    ("application", {"instancetype": "u1/small"}, f'application.instancetype: "u1/small" {OBJECT_NAME}'),
    ("web", {"replicas": None}, "web.replicas: must be a whole number from 1 to 100"),
    ("web", {"image": {"containerDisk": "docker://debian"}}, f'web.image.containerDisk: "docker://debian" {IMAGE}'),
    ("web", {"image": {"containerDisk": "Debian:12 "}}, f'web.image.containerDisk: "Debian:12 " {IMAGE}'),
    ("web", {"image": {"dataSource": {"name": "debian"}}}, "web.image.dataSource.namespace: is missing"),
    ("load", {"enabled": "on"}, 'load.enabled: "on" must be true or false'),
    ("load", {"rps": 0}, "load.rps: 0 must be a whole number from 1 to 100,000"),
    ("load", {"rps": -5}, "load.rps: -5 must be a whole number from 1 to 100,000"),
    ("load", {"concurrency": 10001}, "load.concurrency: 10001 must be a whole number from 1 to 10,000"),
    ("load", {"mix": {"hot": -1}}, "load.mix.hot: -1 must be a whole number from 0 to 1,000,000"),
    ("load", {"mix": {"write": -1}}, "load.mix.write: -1 must be a whole number from 0 to 1,000,000"),
    ("load", {"profile": "burst"}, 'load.profile: "burst" must be constant, ramp, stress, spike or soak'),
    ("load", {"peak": "high"}, 'load.peak: "high" must be a whole number from 1 to 100,000'),
    ("load", {"duration": "1s"}, f'load.duration: "1s" {DURATION}'),
    ("load", {"seed": -1}, "load.seed: -1 must be a whole number from 0 to 4,294,967,295"),
    ("load", {"dedicated": "vm"}, 'load.dedicated: "vm" must be true or false'),
    ("gates", {"web": {"p95": 0}}, "gates.web.p95: 0 must be a number of milliseconds from 0.001 to 600,000"),
    ("gates", {"total": {"p99": True}}, "gates.total.p99: true must be a number of milliseconds from 0.001 to 600,000"),
    ("gates", {"errorRate": 1.5}, "gates.errorRate: 1.5 must be a number from 0 to 1"),
    ("gates", {"deliveredShare": "99%"}, 'gates.deliveredShare: "99%" must be a number from 0 to 1'),
    ("metrics", {"enabled": "yes"}, 'metrics.enabled: "yes" must be true or false'),
    ("tracing", {"endpoint": "collector:4317"}, f'tracing.endpoint: "collector:4317" {ADDRESS}'),
    ("tracing", {"endpoint": "http://me:word@here"}, f'tracing.endpoint: "http://me:word@here" {ADDRESS}'),
    (
        "tracing",
        {"endpoint": "http://here:4318", "sampling": 2},
        "tracing.sampling: 2 must be a number from 0 to 1",
    ),
    ("timeouts", {"ready": "5"}, f'timeouts.ready: "5" {DURATION}'),
    ("timeouts", {"ready": "1s"}, f'timeouts.ready: "1s" {DURATION}'),
    ("timeouts", {"delete": "2d"}, f'timeouts.delete: "2d" {DURATION}'),
    # Keys that no setting has
    ("databse", {}, "databse: is unknown; did you mean database?"),
    ("Name", "shop", "Name: is unknown; did you mean name?"),
    ("create_namespace", "true", "create_namespace: is unknown; did you mean createNamespace?"),
    ("replicas", "2", "replicas: is unknown here; it belongs to application, web"),
    ("web.replicas", "2", "web.replicas: is not nested: write replicas under web (pulumi config set --path)"),
    (
        "zzz",
        "1",
        "zzz: is unknown; the keys here are "
        "name, namespace, createNamespace, database, application, web, load, gates, metrics, tracing, ssh, proxy, "
        "packageMirror, certificateAuthorities, networkPolicies, mesh, timeouts",
    ),
    ("web", {"replica": 2}, "web.replica: is unknown; did you mean replicas?"),
    ("web", {"cpu": 2}, "web.cpu: is unknown; did you mean vcpus?"),
    ("web", {"scale": 2}, "web.scale: is unknown here; it belongs to database"),
    ("web", {"image": {"container_disk": "a"}}, "web.image.container_disk: is unknown; did you mean containerDisk?"),
    ("database", {"replicas": 2}, "database.replicas: is unknown here; it belongs to application, web"),
    ("database", {"dataDisk": {"sise": "1Gi"}}, "database.dataDisk.sise: is unknown; did you mean size?"),
    ("load", {"mix": {"randm": 1}}, "load.mix.randm: is unknown; did you mean random?"),
    (
        "load",
        {"a\nb": 1},
        f'"multi-tier:load.a\\nb": is unknown; the keys here are {MACHINE_KEYS}, '
        "enabled, dedicated, profile, rps, peak, duration, concurrency, mix, seed",
    ),
    ("gates", {"total": {"p90": 3}}, "gates.total.p90: is unknown; did you mean p99?"),
    (
        "gates",
        {"cache": {"p95": 1}},
        "gates.cache: is unknown; the keys here are total, web, application, database, errorRate, deliveredShare",
    ),
    # Settings that are right by themselves and wrong together
    (
        "database",
        {"instancetype": "u1.small", "vcpus": 2},
        "database.vcpus: 2 and instancetype u1.small both size the machine: remove one of them",
    ),
    (
        "web",
        {"instancetype": "u1.small", "memory": "2Gi"},
        'web.memory: "2Gi" and instancetype u1.small both size the machine: remove one of them',
    ),
    (
        "web",
        {"image": {"containerDisk": "debian:12", **GOLDEN}},
        "web.image: has containerDisk and dataSource: keep one",
    ),
    ("web", {"image": {}}, f"web.image: {NEEDS_ONE}"),
    ("web", {"image": {"size": "20Gi"}}, f"web.image: {NEEDS_ONE}"),
    (
        "web",
        {"image": {"containerDisk": "debian:12", "size": "20Gi"}},
        'web.image.size: "20Gi" is for a disk of the machine\'s own: a containerDisk brings its own, so remove it',
    ),
    (
        "web",
        {"image": {"containerDisk": "debian:12", "storageClass": "fast"}},
        'web.image.storageClass: "fast" is for a disk of the machine\'s own: '
        "a containerDisk brings its own, so remove it",
    ),
    (
        "application",
        {"memory": "128Mi"},
        'application.memory: "128Mi" is less than the 256Mi that a debian guest needs to boot',
    ),
    (
        "application",
        {"family": "fedora", "memory": "512Mi"},
        'application.memory: "512Mi" is less than the 1Gi that a fedora guest needs to boot',
    ),
    (
        "web",
        {"memory": "256Mi"},
        'web.memory: "256Mi" is too little for nginx and the load generator: they need 384Mi',
    ),
    (
        "web",
        {"family": "fedora", "image": {"containerDisk": "quay.io/containerdisks/debian:12"}},
        'web.image.containerDisk: "quay.io/containerdisks/debian:12" is of the debian family, but web.family is fedora',
    ),
    (
        "web",
        {"image": {"dataSource": {"name": "rhel9", "namespace": "golden"}}},
        'web.image.dataSource.name: "rhel9" is of the fedora family, but web.family is debian',
    ),
    (
        "web",
        {"preference": "centos.stream9"},
        'web.preference: "centos.stream9" is of the fedora family, but web.family is debian',
    ),
    (
        "database",
        {"scale": 1000},
        'database.dataDisk.size: "10Gi" is too small for database.scale 1000: 15 MB each and 1Gi besides need 15Gi',
    ),
    (
        "load",
        {"rps": 5000, "concurrency": 4},
        "load.concurrency: 4 cannot carry load.rps 5000: a request takes 1 ms or more, so 5 or more are needed",
    ),
    (
        "load",
        {"mix": {"random": 0, "hot": 0, "missing": 0}},
        "load.mix: has no weight above 0: nothing would be asked for",
    ),
    ("load", {"peak": 10}, "load.peak: 10 is below load.rps 50: a peak is at least the rate that it rises from"),
    (
        "load",
        {"profile": "spike", "rps": 300, "concurrency": 1},
        "load.concurrency: 1 cannot carry load.peak 1200: a request takes 1 ms or more, so 2 or more are needed",
    ),
    (
        "load",
        {"vcpus": 2},
        "load.vcpus: 2 is for a machine of the generator's own: set load.dedicated to true, or remove it",
    ),
    (
        "load",
        {"dedicated": True, "memory": "64Mi"},
        'load.memory: "64Mi" is less than the 256Mi that a debian guest needs to boot',
    ),
    (
        "metrics",
        {"serviceMonitors": True},
        "metrics.serviceMonitors: true needs metrics.enabled: there would be nothing to scrape",
    ),
    (
        "tracing",
        {"sampling": 0.5},
        "tracing.sampling: 0.5 needs tracing.endpoint: there would be nowhere to send traces",
    ),
    (
        "namespace",
        "kube-system",
        'namespace: "kube-system" is in every cluster already and must not be deleted with the stack: '
        "set createNamespace to false",
    ),
    (
        "name",
        "a" * 50,
        f'name: "{"a" * 50}" is too long: {"a" * 50}-application-0 would have more than 63 characters, '
        "so use at most 49",
    ),
]


def refusal_of(config: dict[str, Any], secrets: frozenset[str] = frozenset()) -> str:
    raw = {key: value if isinstance(value, str) else json.dumps(value) for key, value in config.items()}
    with pytest.raises(pulumi.RunError) as refused:
        parse(raw, secrets)
    return str(refused.value)


@pytest.mark.parametrize(("key", "value", "line"), MISTAKES, ids=[line.split(" ")[0] for *_, line in MISTAKES])
def test_a_mistake_is_told_in_exactly_one_line(key: str, value: Any, line: str) -> None:
    head, *lines = refusal_of({key: value}).split("\n  ")

    assert head == "The stack's configuration has a mistake; nothing was changed."
    assert lines == [line if line.startswith('"') else f"multi-tier:{line}"]


def test_all_mistakes_are_told_together_in_the_order_of_their_keys() -> None:
    head, *lines = refusal_of(
        {
            "createNamespace": "maybe",
            "database": {"vcpus": 0, "scale": 1000},
            "load": {"rps": 3000, "concurrency": 1, "burst": True},
            "web": {"image": {"dataSource": {}}},
        }
    ).split("\n  ")

    assert head == "The stack's configuration has 7 mistakes; nothing was changed."
    assert [line.split(": ")[0].removeprefix("multi-tier:") for line in lines] == [
        "createNamespace",
        "database.dataDisk.size",
        "database.vcpus",
        "load.burst",
        "load.concurrency",
        "web.image.dataSource.name",
        "web.image.dataSource.namespace",
    ]


def test_a_gate_without_load_to_judge_is_refused() -> None:
    refusal = refusal_of({"load": {"enabled": False}, "gates": {"total": {"p99": 50.5}, "errorRate": 0.01}})

    because = "has nothing to judge while load.enabled is false: remove it, or generate load"
    assert refusal.splitlines()[1:] == [
        f"  multi-tier:gates.errorRate: 0.01 {because}",
        f"  multi-tier:gates.total.p99: 50.5 {because}",
    ]


def test_a_wrong_value_is_not_refused_again_for_contradicting_others() -> None:
    refusal = refusal_of({"database": {"scale": 1000, "dataDisk": {"size": "15gigs"}}})

    assert refusal.count("multi-tier:") == 1, "the disk's default size is none of the user's business here"


def test_a_value_that_is_encrypted_in_the_stack_file_is_never_shown() -> None:
    secret = {"vcpus": "hunter2", "memory": "hunter2", "image": {"containerDisk": "hunter2 "}}
    together = {"instancetype": "hunter2", "vcpus": 2}

    refusals = refusal_of({"database": secret, "application": together}, frozenset({"database", "application"}))

    assert "hunter2" not in refusals
    assert "multi-tier:database: is encrypted, but no setting is secret: give it in plain text" in refusals
    assert "multi-tier:database.vcpus: must be a whole number from 1 to 128" in refusals
