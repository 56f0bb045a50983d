"""Settings of a stack: its top-level keys, contradictions between groups, and the stacks in this repository."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel, ValidationError

from components.settings import Settings
from components.settings.model import Model
from lab.config import PROJECT
from tests.unit.components.settings.refused import accepted, named, refusals

STACKS = sorted((PROJECT / "stacks").glob("Pulumi.*.yaml"))
ENGINE_TYPES = {str: "string", bool: "boolean", int: "integer", list: "array", BaseModel: "object"}
STACK_NAME = "must be 1 to 63 characters of a-z, 0-9 and -, starting with a letter and not ending with -"

UBUNTU = {"image": {"url": "https://images.example/ubuntu-22.04-server.img"}}
MISTAKES: list[tuple[dict[str, Any], str]] = [
    ({"name": "3-tier"}, f'name: "3-tier" {STACK_NAME}'),
    ({"name": "Shop"}, f'name: "Shop" {STACK_NAME}'),
    ({"name": "shop\nfront"}, f'name: "shop\\nfront" {STACK_NAME}'),
    (
        {"name": "a" * 50},
        f'name: "{"a" * 50}" is too long: {"a" * 50}-application-0 has more than 63 characters, so use at most 49',
    ),
    (
        {"namespace": "-a"},
        'namespace: "-a" must be 1 to 63 characters of a-z, 0-9 and -, starting and ending with a letter or digit',
    ),
    (
        {"namespaceMetadata": {"labels": {}}},
        "namespaceMetadata.labels: must be a mapping of at least one label to its value, such as "
        '{"pod-security.kubernetes.io/enforce": "privileged"}',
    ),
    (
        {"namespaceMetadata": {"labels": {"a": "b c"}}},
        'namespaceMetadata.labels.a: "b c" must be the value of a label as text, such as "ssd"',
    ),
    (
        {"namespaceMetadata": {"annotations": {"a b": "c"}}},
        'namespaceMetadata.annotations: "a b" must be a qualified name such as "example.com/internal"',
    ),
    (
        {"namespaceMetadata": {"labels": {"app.kubernetes.io/name": "shop"}}},
        "namespaceMetadata.labels: sets a label below app.kubernetes.io/, which the stack sets itself: remove it",
    ),
    (
        {"createNamespace": "false", "namespaceMetadata": {"labels": {"a": "b"}}},
        "namespaceMetadata.labels: has no effect because createNamespace is false: set it on the namespace itself",
    ),
    (
        {"mesh": {"enabled": True}, "namespaceMetadata": {"labels": {"istio-injection": "disabled"}}},
        "namespaceMetadata.labels: sets a label that mesh.enabled sets itself: remove it, or use mesh.revision",
    ),
    (
        {"timeouts": {"delete": "2d"}},
        'timeouts.delete: "2d" must be a duration from 10 seconds to a day, such as "90s", "10m" or "1h"',
    ),
    (
        {"web": {"memory": "256Mi"}},
        'web.memory: "256Mi" is too little for nginx and the load generator: they need 384Mi',
    ),
    (
        {"application": {"replicas": 20}},
        "application.replicas: 20 need 11 connections each, but PostgreSQL accepts 197: use at most 17",
    ),
    (
        {"load": {"concurrency": 10_000}},
        "load.concurrency: 10000 needs more memory than the 1Gi of web.memory: each request in flight takes 217 KB of "
        "the generator's; use at most 3731, or more memory",
    ),
    (
        {"load": {"dedicated": True, "memory": "384Mi", "concurrency": 1000}},
        "load.concurrency: 1000 needs more memory than the 384Mi of load.memory: each request in flight takes 217 KB "
        "of the generator's; use at most 638, or more memory",
    ),
    (
        {"database": {"scale": 12_000, "dataDisk": {"size": "200Gi"}}},
        'timeouts.ready: "20m" is too short for scale 12000: a fast machine creates its accounts in 1200 s',
    ),
    (
        {"application": {"image": {"containerDisk": "quay.io/containerdisks/debian:11"}}},
        'application.image.containerDisk: "quay.io/containerdisks/debian:11" has Python 3.9, but this tier '
        "needs 3.11: choose a later release",
    ),
    (
        {"tracing": {"endpoint": "http://collector:4318"}, "load": {"enabled": False}, "web": UBUNTU},
        'web.image.url: "https://images.example/ubuntu-22.04-server.img" has Python 3.10, but this tier needs '
        "3.11: choose a later release",
    ),
    (
        {"ipFamilyPolicy": "DualStack"},
        'ipFamilyPolicy: "DualStack" must be SingleStack, PreferDualStack or RequireDualStack',
    ),
    (
        {"ipFamilyPolicy": "PreferDualStack", "mesh": {"enabled": True}},
        'ipFamilyPolicy: "PreferDualStack" needs mesh.enabled false: machines with sidecars have IPv4 only',
    ),
    ({"instances": "0"}, "instances: 0 must be a whole number from 1 to 1,000"),
    (
        {"instances": "11", "name": "a" * 47},
        f'name: "{"a" * 47}" is too long: {"a" * 47}-10-application-0 has more than 63 characters, so use at most 46',
    ),
    (
        {"instances": "2", "web": {"service": {"type": "NodePort", "nodePort": 30080}}},
        "web.service.nodePort: 30080 needs instances 1: only one Service can have it. Remove it, and the cluster "
        "allocates ports",
    ),
    (
        {"instances": "2", "web": {"expose": {"kind": "Ingress", "host": "shop.example.com"}}},
        "web.expose: needs instances 1: requests for a host go to one instance. Use web.service, or several stacks",
    ),
    ({"waves": {"size": 2}}, "waves.size: 2 needs instances above 1"),
    (
        {"instances": "2", "waves": {"pause": "30s"}},
        'waves.pause: "30s" needs size: all instances are one wave without it',
    ),
    (
        {"load": {"enabled": False}, "gates": {"total": {"p99": 50.5}}},
        "gates.total.p99: 50.5 has no effect while load.enabled is false: set it to true, or remove this",
    ),
]


@pytest.mark.parametrize(("config", "line"), named(MISTAKES))
def test_a_mistake_about_the_stack_is_reported_in_one_line(config: dict[str, Any], line: str) -> None:
    assert refusals(config) == [line]


def test_an_empty_configuration_means_the_defaults() -> None:
    assert accepted({}) == accepted({"database": {}, "load": {}}) == Settings()


def test_instances_can_have_a_load_balancer_or_a_port_each() -> None:
    for kind in ("LoadBalancer", "NodePort"):
        assert accepted({"instances": "2", "waves": {"size": 1}, "web": {"service": {"type": kind}}})


def test_without_load_the_web_machine_needs_less_memory() -> None:
    assert accepted({"web": {"memory": "256Mi"}, "load": {"enabled": False}})


def test_what_the_machines_can_carry_is_accepted() -> None:
    assert accepted({"application": {"replicas": 17}, "load": {"concurrency": 3731}})
    assert accepted({"web": {"instancetype": "u1.large"}, "load": {"concurrency": 10_000}})
    assert accepted({"database": {"scale": 12_000, "dataDisk": {"size": "200Gi"}}, "timeouts": {"ready": "30m"}})


def test_a_tier_without_python_programs_runs_on_an_old_distribution() -> None:
    assert accepted({"database": UBUNTU, "web": UBUNTU, "load": {"dedicated": True}})


def test_settings_are_immutable() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Settings().web.replicas = 3


@pytest.mark.parametrize("stack", STACKS, ids=lambda path: path.name)
def test_the_stacks_in_this_repository_are_valid(stack: Path) -> None:
    config = yaml.safe_load(stack.read_text())["config"]

    assert accepted({key.removeprefix("multi-tier:"): value for key, value in config.items()})


def test_the_stacks_that_the_documentation_names_exist() -> None:
    assert {path.name.split(".")[1] for path in STACKS} >= {"lab", "scaled", "openshift"}


def test_the_schema_in_the_project_file_matches_the_settings() -> None:
    project = yaml.safe_load((PROJECT / "Pulumi.yaml").read_text())
    expected: dict[str, dict[str, Any]] = {}
    for field in Settings.model_fields.values():
        default, is_object = field.default, isinstance(field.default, BaseModel)
        expected[str(field.alias)] = {
            "type": next(name for kind, name in ENGINE_TYPES.items() if isinstance(default, kind)),
            # The defaults inside an object are in the settings only.
            "default": {} if is_object else default,
            "description": field.description,
            **({"items": {"type": "string"}} if isinstance(default, list) else {}),
        }

    found = {key: entry for key, entry in project["config"].items() if ":" not in key}
    assert list(found) == list(expected)
    assert found == expected


def test_every_setting_has_a_description() -> None:
    def groups(group: type[Model]) -> Iterator[type[Model]]:
        yield group
        for inner in group.__subclasses__():
            yield from groups(inner)

    undescribed = [
        f"{group.__name__}.{name}"
        for group in groups(Model)
        for name, field in group.model_fields.items()
        if not field.description
    ]
    assert not undescribed
