"""Settings have their defaults and descriptions in one place, and the stacks that we ship are right."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, get_args

import pulumi
import pytest
import yaml
from pydantic import BaseModel, ValidationError

from cloudinit import Family
from components.settings import configuration
from components.settings.configuration import parse
from components.settings.stack import Settings
from components.settings.values import bytes_of, seconds_of
from lab.config import PROJECT

STACKS = sorted((PROJECT / "stacks").glob("Pulumi.*.yaml"))
ENGINE_TYPES = {str: "string", bool: "boolean", list: "array"}


def schema() -> dict[str, dict[str, Any]]:
    project = yaml.safe_load((PROJECT / "Pulumi.yaml").read_text())
    return {key: entry for key, entry in project["config"].items() if ":" not in key}


def stack_config(path: Path) -> dict[str, str]:
    config = yaml.safe_load(path.read_text())["config"]
    return {
        key.removeprefix("multi-tier:"): value if isinstance(value, str) else json.dumps(value)
        for key, value in config.items()
        if key.startswith("multi-tier:")
    }


def test_the_schema_in_the_project_file_has_the_keys_of_the_settings() -> None:
    assert list(schema()) == [field.alias for field in Settings.model_fields.values()]


@pytest.mark.parametrize("name", Settings.model_fields)
def test_the_schema_in_the_project_file_repeats_the_settings_faithfully(name: str) -> None:
    field = Settings.model_fields[name]
    is_object = isinstance(field.default, BaseModel)

    found = schema()[str(field.alias)]
    if isinstance(field.default, list):
        assert found.pop("items") == {"type": "string"}
    assert found == {
        "type": "object" if is_object else ENGINE_TYPES[type(field.default)],
        # What is inside an object has its defaults in the settings only.
        "default": {} if is_object else field.default,
        "description": field.description,
    }


def models(model: type[BaseModel] = Settings) -> Iterator[type[BaseModel]]:
    yield model
    for field in model.model_fields.values():
        for choice in (field.annotation, *get_args(field.annotation)):
            if isinstance(choice, type) and issubclass(choice, BaseModel):
                yield from models(choice)


@pytest.mark.parametrize("model", dict.fromkeys(models()), ids=lambda model: model.__name__)
def test_every_setting_is_described(model: type[BaseModel]) -> None:
    undescribed = [name for name, field in model.model_fields.items() if not field.description]

    assert not undescribed


@pytest.mark.parametrize("stack", STACKS, ids=lambda path: path.name)
def test_a_stack_that_we_ship_is_accepted(stack: Path) -> None:
    assert parse(stack_config(stack))


def test_the_stacks_that_a_reader_is_promised_are_there() -> None:
    assert {path.name.split(".")[1] for path in STACKS} >= {"lab", "scaled", "openshift"}


def test_no_configuration_at_all_is_the_defaults() -> None:
    assert parse({}) == parse({"database": "{}", "load": "{}"}) == Settings()


def test_what_a_stack_file_says_replaces_the_default_and_nothing_else() -> None:
    settings = parse({"web": json.dumps({"replicas": 2}), "createNamespace": "false"})

    assert settings.web.replicas == 2
    assert settings.web.memory == Settings().web.memory
    assert settings.create_namespace is False


def test_the_root_disk_follows_the_family_unless_it_is_chosen() -> None:
    settings = parse({"web": '{"family": "fedora"}', "application": '{"image": {"containerDisk": "my/image"}}'})

    assert settings.web.root.container_disk == "quay.io/containerdisks/fedora:42"
    assert settings.application.root.container_disk == "my/image"
    assert settings.database.root.container_disk == "quay.io/containerdisks/debian:12"
    assert settings.web.family is Family.FEDORA


def test_settings_cannot_be_changed_once_they_are_checked() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Settings().web.replicas = 3


def test_an_instancetype_replaces_the_default_size_without_complaint() -> None:
    assert parse({"web": '{"instancetype": "u1.nano", "preference": "debian"}'}).web.instancetype == "u1.nano"


def test_load_that_is_off_frees_the_web_machine_of_its_memory() -> None:
    assert parse({"web": '{"memory": "256Mi"}', "load": '{"enabled": false}'})


def test_an_existing_namespace_of_the_cluster_may_be_used() -> None:
    assert parse({"namespace": "default", "createNamespace": "false"}).namespace == "default"


@pytest.fixture
def configured(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Give the program a configuration as the engine does, and take it away again."""
    monkeypatch.setattr(pulumi, "get_project", lambda: "multi-tier")
    yield pulumi.runtime.set_all_config
    pulumi.runtime.set_all_config({}, [])


def test_the_keys_of_other_packages_are_left_to_them(configured: Callable[..., None]) -> None:
    configured({"kubernetes:context": "prod", "multi-tier:name": "shop"}, [])

    assert configuration.load().name == "shop"


def test_an_encrypted_setting_is_refused_because_nothing_would_keep_it_secret(
    configured: Callable[..., None],
) -> None:
    configured({"multi-tier:name": "hunter2"}, ["multi-tier:name"])

    with pytest.raises(pulumi.RunError, match=r"multi-tier:name: is encrypted") as refused:
        configuration.load()
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize(
    ("quantity", "count"),
    [("1", 1), ("1k", 1000), ("1Ki", 1024), ("1.5Gi", 1610612736), ("2T", 2 * 10**12), ("1Pi", 2**50)],
)
def test_a_quantity_is_counted_in_bytes(quantity: str, count: int) -> None:
    assert bytes_of(quantity) == count


@pytest.mark.parametrize(("duration", "seconds"), [("90s", 90), ("10m", 600), ("1h", 3600)])
def test_a_duration_is_counted_in_seconds(duration: str, seconds: int) -> None:
    assert seconds_of(duration) == seconds


@pytest.mark.parametrize("read", [bytes_of, seconds_of])
def test_what_is_no_quantity_or_duration_is_an_error(read: Any) -> None:
    with pytest.raises(ValueError, match="not a"):
        read("soon")


def test_a_number_is_taken_as_the_command_line_of_the_engine_writes_it() -> None:
    settings = parse({"gates": '{"errorRate": "0.01", "total": {"p99": "12.5"}}'})

    assert settings.gates.error_rate == 0.01
    assert settings.gates.total.p99 == 12.5
