"""Several instances of the application from one stack: names, labels, credentials, and the waves they come in."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pulumi
import pytest

from components.names import TierName
from tests.unit.components.mocks import DEDICATED, METRICS, Deployment, Registration, deploy

INSTANCE = "app.kubernetes.io/instance"
EVERYTHING = {**DEDICATED, **METRICS, "metrics": {"enabled": True, "serviceMonitors": True}, "mesh": {"enabled": True}}
CONFIGS: list[dict[str, Any]] = [{}, EVERYTHING]


def several(count: int = 3, **config: Any) -> Deployment:
    return deploy({"instances": str(count), **config})


def of(deployment: Deployment, name: str) -> Iterator[Registration]:
    """Yield an instance's objects, which all have its label."""
    return (one for one in deployment.objects if one.inputs["metadata"]["labels"][INSTANCE] == name)


def shape(objects: Iterator[Registration], name: str) -> list[tuple[str, str]]:
    return sorted((one.kind, one.object_name.replace(name, "", 1)) for one in objects if one.kind != "Namespace")


@pytest.mark.parametrize("config", CONFIGS)
def test_each_instance_has_everything_but_the_namespace(config: dict[str, Any]) -> None:
    deployment = several(**config)
    one = shape(of(deploy(config), "multi-tier"), "multi-tier")

    for name in ("multi-tier", "multi-tier-1", "multi-tier-2"):
        assert shape(of(deployment, name), name) == one
    assert len(deployment.of_kind("Namespace")) == 1
    assert len(deployment.objects) == 3 * len(one) + 1


@pytest.mark.parametrize("config", CONFIGS)
def test_no_two_resources_have_the_same_name(config: dict[str, Any]) -> None:
    deployment = several(**config)
    urns = [one.urn for one in deployment.resources]
    objects = [(one.kind, one.object_name) for one in deployment.objects]

    assert len(set(urns)) == len(urns)
    assert len(set(objects)) == len(objects)


@pytest.mark.parametrize("config", CONFIGS)
def test_more_instances_change_nothing_about_the_first(config: dict[str, Any]) -> None:
    first = {one.urn: one.wire for one in deploy(config).resources if one.name != "credentials"}
    now = {one.urn: one.wire for one in several(**config).resources}

    assert first.items() <= now.items()


def test_an_instance_reaches_none_but_its_own_tiers() -> None:
    deployment = several(2, name="shop", namespace="retail")

    for one in of(deployment, "shop-1"):
        text = json.dumps(one.inputs)
        assert not [tier for tier in TierName if f"shop-{tier}" in text], one.urn
    assert "shop-1-application.retail.svc" in deployment.user_data("shop-1-web-0")
    assert "shop-1-database.retail.svc" in deployment.user_data("shop-1-application-0")


def test_each_instance_has_a_password_of_its_own() -> None:
    passwords = [one for one in several().resources if one.type == "random:index/randomPassword:RandomPassword"]

    assert {one.name for one in passwords} == {"password", "1-password", "2-password"}


def test_the_outputs_are_the_first_ones_and_the_names_of_all() -> None:
    outputs = dict(several().outputs)

    assert outputs.pop("instances") == ["multi-tier", "multi-tier-1", "multi-tier-2"]
    assert outputs == deploy().outputs


def test_without_waves_no_instance_waits_for_the_machines_of_another() -> None:
    deployment = several()
    machines = {one.urn for one in deployment.of_kind("VirtualMachine")}

    for number in (1, 2):
        assert not deployment.component(f"{number}-credentials").depends_on & machines
        assert deployment.component(f"{number}-database").depends_on >= {password(deployment, number)}


def test_a_wave_starts_once_the_one_before_it_serves() -> None:
    deployment = several(5, waves={"size": 2})

    assert waited_for(deployment, 1) == {"password"}
    assert waited_for(deployment, 2) == {"fault-plan", "fault-reports", "1-fault-plan", "1-fault-reports"}
    assert waited_for(deployment, 3) == {"2-password"}
    assert waited_for(deployment, 4) == {"2-fault-plan", "2-fault-reports", "3-fault-plan", "3-fault-reports"}
    assert not [name for name in deployment.hooks if "pause" in name]


def test_a_wave_waits_for_the_generators_too() -> None:
    assert "load-0" in waited_for(several(2, waves={"size": 1}, **DEDICATED), 1)


def test_a_new_wave_pauses_once_before_it_is_created(monkeypatch: pytest.MonkeyPatch) -> None:
    deployment = several(5, waves={"size": 2, "pause": "30s"})
    paused: list[float] = []

    async def sleep(seconds: float) -> None:
        paused.append(seconds)

    monkeypatch.setattr("components.hooks.asyncio.sleep", sleep)
    pauses = {name: hook for name, hook in deployment.hooks.items() if "pause" in name}
    assert list(pauses) == ["2-pause", "4-pause"]
    for name, hook in pauses.items():
        request = deployment.component(name.replace("pause", "credentials")).request
        assert list(request.hooks.before_create) == [name]
        assert not (hook.opts and hook.opts.on_dry_run), "a preview doesn't pause"
        asyncio.run(called(hook))
    assert paused == [30, 30]


async def called(hook: pulumi.ResourceHook) -> None:
    arguments = pulumi.ResourceHookArgs(urn="", id="", name="", type="")
    waiting = hook.callback(arguments)
    assert waiting is not None
    await waiting


def password(deployment: Deployment, number: int) -> str:
    (found,) = (one.urn for one in deployment.resources if one.name == f"{number}-password")
    return found


def waited_for(deployment: Deployment, number: int) -> set[str]:
    """Return the names of the resources that exist before an instance is created."""
    depends_on = deployment.component(f"{number}-credentials").depends_on
    return {one.name for one in deployment.resources if one.urn in depends_on}
