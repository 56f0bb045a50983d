"""The whole program: the order in which components start, are replaced, and are deleted."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.components.mocks import DEDICATED, SCALED, Deployment, deploy

MACHINE = "kubernetes:kubevirt.io/v1:VirtualMachine"


def urns(deployment: Deployment, kind: str, *names: str) -> set[str]:
    return {deployment.object(kind, name).urn for name in names}


def trigger(deployment: Deployment, machine: str) -> str:
    request = deployment.object("VirtualMachine", machine).request
    return str(request.replacement_trigger.string_value)


def replaced(before: Deployment, after: Deployment) -> list[str]:
    """Return the machines whose replacement trigger differs."""
    names = ("database-0", "application-0", "web-0")
    return [name for name in names if len({trigger(one, f"multi-tier-{name}") for one in (before, after)}) == 2]


def test_a_tier_starts_once_the_tier_behind_it_serves() -> None:
    deployment = deploy(SCALED)
    database = urns(deployment, "VirtualMachine", "multi-tier-database-0")
    database |= urns(deployment, "Service", "multi-tier-database")
    application = urns(deployment, "VirtualMachine", "multi-tier-application-0", "multi-tier-application-1")
    application |= urns(deployment, "Service", "multi-tier-application")

    for name in ("application-0", "application-1"):
        assert deployment.object("VirtualMachine", f"multi-tier-{name}").depends_on >= database
    for name in ("web-0", "web-1"):
        assert deployment.object("VirtualMachine", f"multi-tier-{name}").depends_on >= application


def test_what_a_machine_needs_is_created_while_the_tier_behind_it_starts() -> None:
    deployment = deploy(SCALED)
    machines = {one.urn for one in deployment.resources if one.type == MACHINE}
    needed = [one for tier in ("application", "web") for one in deployment.under(tier) if one.urn not in machines]

    assert {one.type.rpartition(":")[2] for one in needed} >= {"ServiceAccount", "Secret", "Service", "Role"}
    assert [one.name for one in needed if one.depends_on & machines] == []


@pytest.mark.parametrize(
    ("max_unavailable", "awaited"), [({}, [None, 0, 1]), ({"maxUnavailable": 2}, [None, None, 0])], ids=["default", "2"]
)
def test_a_machine_is_replaced_after_the_one_so_many_before_it(
    max_unavailable: dict[str, int], awaited: list[int | None]
) -> None:
    tier = {"replicas": 3, **max_unavailable}
    deployment = deploy({"application": tier, "web": tier})

    for name in ("application", "web"):
        machines = [f"multi-tier-{name}-{index}" for index in range(3)]
        expected = [[] if index is None else [machines[index]] for index in awaited]
        assert [awaited_machines(deployment, machine) for machine in machines] == expected


def test_a_canary_is_replaced_in_turn_with_its_tier() -> None:
    canary = {"version": "v2", "weight": 10, "replicas": 2}
    tier = {"replicas": 2, "maxUnavailable": "50%", "canary": canary}
    deployment = deploy({"application": tier, "mesh": {"enabled": True}})
    awaited = {
        name.removeprefix("multi-tier-application-"): awaited_machines(deployment, name)
        for name in deployment.machines
        if "application" in name
    }

    assert awaited == {
        "0": [],
        "1": [],
        "canary-0": ["multi-tier-application-0"],
        "canary-1": ["multi-tier-application-1"],
    }


def awaited_machines(deployment: Deployment, name: str) -> list[str]:
    """Return the machines of its own tier on which a machine depends."""
    depends_on, tier = deployment.object("VirtualMachine", name).depends_on, name.split("-")[2]
    of_tier = [one for one in deployment.machines if one.split("-")[2] == tier]
    return [one for one in of_tier if deployment.object("VirtualMachine", one).urn in depends_on]


def test_a_machine_waits_for_others_without_being_replaced_because_of_them() -> None:
    # The engine replaces what depends on a replaced object by a property.
    request = deploy(SCALED).object("VirtualMachine", "multi-tier-web-1").request

    assert {urn for one in request.propertyDependencies.values() for urn in one.urns} == set()


def test_a_tier_is_registered_after_the_tiers_behind_it() -> None:
    registered = [resource.name for resource in deploy(SCALED).resources if resource.type == MACHINE]

    assert registered[0] == "database-0"
    assert set(registered[1:3]) == {"application-0", "application-1"}
    assert set(registered[3:]) == {"web-0", "web-1"}


def test_the_load_generator_starts_once_it_can_read_its_plan() -> None:
    deployment = deploy()
    expected = {resource.urn for resource in deployment.under("load-plan")}

    assert len(expected) == 6
    assert deployment.component("web").depends_on >= expected


def test_a_dedicated_load_machine_starts_once_the_web_tier_serves() -> None:
    deployment = deploy({**DEDICATED, **SCALED})
    web = urns(deployment, "VirtualMachine", "multi-tier-web-0", "multi-tier-web-1")

    assert deployment.object("VirtualMachine", "multi-tier-load-0").depends_on >= web
    assert deployment.component("load").depends_on >= {resource.urn for resource in deployment.under("load-plan")}
    assert not deployment.component("web").depends_on & urns(deployment, "ConfigMap", "multi-tier-load")


def test_the_password_is_created_before_the_namespace_and_its_secret_after_it() -> None:
    deployment = deploy()
    (password,) = (resource for resource in deployment.resources if resource.name == "password")
    namespace = deployment.object("Namespace", "multi-tier")

    assert namespace.depends_on >= {password.urn}
    assert deployment.object("Secret", "multi-tier-credentials").depends_on >= {namespace.urn}


@pytest.mark.parametrize("component", ["database", "application", "load-plan", "web"])
def test_every_component_is_created_after_the_namespace_and_deleted_before_it(component: str) -> None:
    deployment = deploy()

    assert deployment.component(component).depends_on >= urns(deployment, "Namespace", "multi-tier")


def test_only_the_namespace_is_outside_a_component() -> None:
    deployment = deploy(SCALED)
    components = {resource.urn for resource in deployment.resources if ":components:" in resource.type}

    outside = [resource.kind for resource in deployment.objects if resource.parent not in components]
    assert outside == ["Namespace"]


def test_an_existing_namespace_is_not_created() -> None:
    assert [resource.object_name for resource in deploy().of_kind("Namespace")] == ["multi-tier"]
    assert not deploy({"createNamespace": "false", "namespace": "default"}).of_kind("Namespace")


def test_the_namespace_has_the_labels_and_annotations_that_the_cluster_asks_for() -> None:
    labels = {"mutatevirtualmachines.kubemacpool.io": "ignore", "pod-security.kubernetes.io/enforce": "privileged"}
    annotations = {"openshift.io/node-selector": "disk=ssd"}
    (chosen,) = deploy({"namespaceMetadata": {"labels": labels, "annotations": annotations}}).of_kind("Namespace")
    (plain,) = deploy().of_kind("Namespace")

    assert chosen.inputs["metadata"]["labels"] == {**plain.inputs["metadata"]["labels"], **labels}
    assert chosen.inputs["metadata"]["annotations"] == annotations
    assert "annotations" not in plain.inputs["metadata"]


@pytest.mark.parametrize(
    ("name", "secret"),
    [("database-0", "database"), ("application-1", "application"), ("web-0", "web-0"), ("web-1", "web")],
)
def test_a_machine_is_created_after_its_user_data(name: str, secret: str) -> None:
    deployment = deploy(SCALED)

    machine = deployment.object("VirtualMachine", f"multi-tier-{name}")
    assert machine.depends_on >= urns(deployment, "Secret", f"multi-tier-{secret}-cloud-init")


def test_the_database_machine_is_created_after_its_data_disk_and_deleted_before_it() -> None:
    deployment = deploy()

    machine = deployment.object("VirtualMachine", "multi-tier-database-0")
    assert machine.depends_on >= urns(deployment, "DataVolume", "multi-tier-database-0-data")


def test_services_are_not_awaited_because_ready_machines_are_endpoints_already() -> None:
    deployment = deploy(SCALED)
    services = deployment.of_kind("Service")

    for service in services:
        assert service.inputs["metadata"]["annotations"] == {"pulumi.com/skipAwait": "true"}
    for tier in ("database", "application", "web"):
        machine = deployment.object("VirtualMachine", f"multi-tier-{tier}-0")
        assert not machine.depends_on & urns(deployment, "Service", f"multi-tier-{tier}")


def test_a_machine_has_to_become_ready_within_the_timeout() -> None:
    for machine in deploy({"timeouts": {"ready": "7m", "delete": "90s"}}).of_kind("VirtualMachine"):
        assert machine.inputs["metadata"]["annotations"]["pulumi.com/waitFor"] == "condition=Ready"
        timeouts = machine.request.customTimeouts
        assert (timeouts.create, timeouts.update, timeouts.delete) == ("7m", "7m", "90s")


def test_a_changed_machine_is_replaced_after_the_old_one_is_deleted() -> None:
    of_all_keys = {"instancetype": "u1.small", "preference": "debian", "image": {"registry": "quay.io/a/debian:12"}}
    deployment = deploy(dict.fromkeys(("database", "application", "web"), of_all_keys))
    for machine in deployment.of_kind("VirtualMachine"):
        replacing = set(machine.request.replaceOnChanges)
        # A machine that somebody stopped has another runStrategy, and starts again with its disks.
        assert replacing == {f"spec.{key}" for key in machine.inputs["spec"]} - {"spec.runStrategy"}
        assert machine.request.deleteBeforeReplace, "both have the same name"


@pytest.mark.parametrize(
    ("change", "machines"),
    [
        ({"database": {"scale": 20}}, ["database-0"]),
        ({"database": {"family": "fedora"}}, ["database-0"]),
        ({"application": {"family": "fedora"}}, ["application-0"]),
        ({"load": {"enabled": False}}, ["web-0"]),
        ({"load": {"rps": 500, "mix": {"hot": 50}}}, []),
        ({"load": {"profile": "spike", "peak": 900, "duration": "5m", "concurrency": 40, "seed": 7}}, []),
        ({"load": {"dedicated": True}}, ["web-0"]),
        ({"gates": {"total": {"p99": 50}}}, []),
        ({"database": {"passwordVersion": 2}}, []),
        ({"database": {"tls": {"enabled": False}}}, ["database-0", "application-0"]),
        ({"metrics": {"enabled": True}}, ["database-0", "application-0", "web-0"]),
        ({"tracing": {"endpoint": "http://collector:4318"}}, ["application-0", "web-0"]),
        ({"web": {"replicas": 2}}, []),
        ({"timeouts": {"ready": "20m"}}, []),
    ],
    ids=str,
)
def test_only_machines_with_changed_user_data_are_replaced(change: dict[str, Any], machines: list[str]) -> None:
    assert replaced(deploy(), deploy(change)) == machines


def test_a_new_password_replaces_no_machine() -> None:
    assert replaced(deploy(), deploy(password="another0123456789abcdefghijklmno")) == []


@pytest.mark.parametrize(
    "change", [{"load": {"rps": 500}}, {"load": {"profile": "ramp"}}, {"gates": {"errorRate": 0}}], ids=str
)
def test_a_changed_plan_or_gate_updates_one_object(change: dict[str, Any]) -> None:
    before = {resource.urn: resource.inputs for resource in deploy().objects}

    changed = [resource for resource in deploy(change).objects if before[resource.urn] != resource.inputs]
    assert [(resource.kind, resource.object_name) for resource in changed] == [("ConfigMap", "multi-tier-load")]


def test_scaling_out_changes_no_existing_object() -> None:
    after = {resource.urn: resource.inputs for resource in deploy(SCALED).objects}

    for resource in deploy().objects:
        assert after[resource.urn] == resource.inputs


def test_a_preview_works_before_the_token_exists() -> None:
    assert deploy(preview=True).of_kind("VirtualMachine")
