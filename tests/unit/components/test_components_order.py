"""The order in which things come up, are replaced and go: read from the registrations that the engine would get."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.components.mocks import Deployment, deploy

SCALED = {"application": {"replicas": 2}, "web": {"replicas": 2}}
MACHINE = "kubernetes:kubevirt.io/v1:VirtualMachine"


def urns(deployment: Deployment, kind: str, *names: str) -> set[str]:
    return {deployment.object(kind, name).urn for name in names}


def trigger(deployment: Deployment, machine: str) -> str:
    request = deployment.object("VirtualMachine", machine).request
    return str(request.replacement_trigger.string_value)


def test_the_application_waits_for_the_database_to_serve() -> None:
    deployment = deploy()

    expected = urns(deployment, "VirtualMachine", "multi-tier-database-0")
    expected |= urns(deployment, "Service", "multi-tier-database")
    assert deployment.component("application").depends_on >= expected


def test_the_web_tier_waits_for_all_of_the_application() -> None:
    deployment = deploy(SCALED)

    expected = urns(deployment, "VirtualMachine", "multi-tier-application-0", "multi-tier-application-1")
    expected |= urns(deployment, "Service", "multi-tier-application")
    assert deployment.component("web").depends_on >= expected


def test_the_load_generator_starts_when_it_may_read_its_plan() -> None:
    deployment = deploy()

    expected = {resource.urn for resource in deployment.under("load-plan")}
    assert len(expected) == 6
    assert deployment.component("web").depends_on >= expected


def test_a_generator_with_its_own_machine_starts_when_the_web_tier_serves() -> None:
    deployment = deploy({"load": {"dedicated": True}, **SCALED})

    expected = urns(deployment, "VirtualMachine", "multi-tier-web-0", "multi-tier-web-1")
    expected |= {resource.urn for resource in deployment.under("load-plan")}
    assert deployment.component("load").depends_on >= expected
    assert deployment.object("ConfigMap", "multi-tier-load").urn not in deployment.component("web").depends_on


@pytest.mark.parametrize("component", ["credentials", "database", "application", "load-plan", "web"])
def test_everything_waits_for_the_namespace_and_so_goes_before_it(component: str) -> None:
    deployment = deploy()

    assert deployment.component(component).depends_on >= urns(deployment, "Namespace", "multi-tier")


def test_a_tier_is_declared_after_the_tiers_before_it() -> None:
    registered = [resource.name for resource in deploy(SCALED).resources if resource.type == MACHINE]

    assert registered[0] == "database-0"
    assert set(registered[1:3]) == {"application-0", "application-1"}
    assert set(registered[3:]) == {"web-0", "web-1"}


def test_every_object_belongs_to_a_component_and_gets_its_order_from_it() -> None:
    deployment = deploy(SCALED)
    components = {resource.urn for resource in deployment.resources if ":components:" in resource.type}

    orphans = [
        resource.name
        for resource in deployment.objects
        if resource.parent not in components and resource.kind != "Namespace"
    ]
    assert not orphans


@pytest.mark.parametrize("name", ["database-0", "application-1", "web-1"])
def test_a_machine_waits_for_its_own_user_data(name: str) -> None:
    deployment = deploy(SCALED)

    machine = deployment.object("VirtualMachine", f"multi-tier-{name}")
    assert machine.depends_on >= urns(deployment, "Secret", f"multi-tier-{name}-cloud-init")


def test_the_database_waits_for_its_disk_and_goes_before_it() -> None:
    deployment = deploy()

    machine = deployment.object("VirtualMachine", "multi-tier-database-0")
    assert machine.depends_on >= urns(deployment, "DataVolume", "multi-tier-database-0-data")


def test_no_machine_waits_for_a_service_of_its_own_tier() -> None:
    deployment = deploy(SCALED)
    services = {service.urn for service in deployment.of_kind("Service")}

    for machine in deployment.of_kind("VirtualMachine"):
        assert not machine.depends_on & services


def test_services_are_not_awaited_because_ready_machines_say_more() -> None:
    for service in deploy().of_kind("Service"):
        assert service.inputs["metadata"]["annotations"] == {"pulumi.com/skipAwait": "true"}


def test_a_machine_is_created_when_it_is_ready_within_the_timeout_of_the_settings() -> None:
    deployment = deploy({"timeouts": {"ready": "7m", "delete": "90s"}})

    for machine in deployment.of_kind("VirtualMachine"):
        assert machine.inputs["metadata"]["annotations"] == {"pulumi.com/waitFor": "condition=Ready"}
        timeouts = machine.request.customTimeouts
        assert (timeouts.create, timeouts.update, timeouts.delete) == ("7m", "7m", "90s")


def test_a_changed_machine_is_a_new_machine_and_the_old_one_goes_first() -> None:
    for machine in deploy().of_kind("VirtualMachine"):
        assert list(machine.request.replaceOnChanges) == ["spec"], "KubeVirt would keep the change for a restart"
        assert machine.request.deleteBeforeReplace, "both have the same name"


@pytest.mark.parametrize(
    ("change", "replaced"),
    [
        ({"database": {"scale": 20}}, ["database-0"]),
        ({"database": {"family": "fedora"}}, ["database-0"]),
        ({"application": {"family": "fedora"}}, ["application-0"]),
        ({"load": {"enabled": False}}, ["web-0"]),
        ({"load": {"rps": 500, "mix": {"hot": 50}}}, []),
        ({"load": {"profile": "spike", "peak": 900, "duration": "5m", "concurrency": 40, "seed": 7}}, []),
        ({"load": {"dedicated": True}}, ["web-0"]),
        ({"gates": {"total": {"p99": 50}}}, []),
        ({"metrics": {"enabled": True}}, ["database-0", "application-0", "web-0"]),
        ({"tracing": {"endpoint": "http://collector:4318"}}, ["application-0", "web-0"]),
        ({"web": {"replicas": 2}}, []),
        ({"timeouts": {"ready": "20m"}}, []),
    ],
    ids=str,
)
def test_only_the_machines_whose_user_data_changed_are_replaced(change: dict[str, Any], replaced: list[str]) -> None:
    before, after = deploy(), deploy(change)

    names = ["database-0", "application-0", "web-0"]
    changed = [n for n in names if trigger(before, f"multi-tier-{n}") != trigger(after, f"multi-tier-{n}")]
    assert changed == replaced


def test_a_new_password_replaces_the_machines_that_know_it() -> None:
    before, after = deploy(), deploy(password="another0123456789abcdefghijklmno")

    assert trigger(before, "multi-tier-database-0") != trigger(after, "multi-tier-database-0")
    assert trigger(before, "multi-tier-application-0") != trigger(after, "multi-tier-application-0")
    assert trigger(before, "multi-tier-web-0") == trigger(after, "multi-tier-web-0")


@pytest.mark.parametrize(
    "change", [{"load": {"rps": 500}}, {"load": {"profile": "ramp"}}, {"gates": {"errorRate": 0}}], ids=str
)
def test_a_changed_plan_or_gate_is_one_changed_object(change: dict[str, Any]) -> None:
    before, after = deploy(), deploy(change)

    old = {resource.urn: resource.inputs for resource in before.objects}
    changed = [resource for resource in after.objects if old[resource.urn] != resource.inputs]
    assert [(resource.kind, resource.object_name) for resource in changed] == [("ConfigMap", "multi-tier-load")]


def test_more_replicas_leave_the_machines_that_are_there_alone() -> None:
    before, after = deploy(), deploy(SCALED)

    for resource in before.objects:
        (same,) = (other for other in after.objects if other.urn == resource.urn)
        assert same.inputs == resource.inputs


def test_the_first_preview_of_a_stack_gets_by_without_the_token_that_no_controller_made_yet() -> None:
    deployment = deploy(preview=True)

    assert deployment.of_kind("VirtualMachine"), "the machines are in the preview"
