"""Routes in a service mesh: faults on the way to a tier, and a canary's share of the requests."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.components.mocks import Deployment, deploy

HOSTS = {tier: f"multi-tier-{tier}.multi-tier.svc.cluster.local" for tier in ("web", "application")}
DELAY: dict[str, Any] = {"percentage": 10, "fixedDelay": "500ms"}
ABORT: dict[str, Any] = {"percentage": 0.5, "httpStatus": 503}


def faulty(**faults: Any) -> Deployment:
    return deploy({"mesh": {"enabled": True, "faults": faults}})


def with_canary(**canary: Any) -> Deployment:
    chosen = {"version": "v2", "weight": 20, **canary}
    return deploy({"mesh": {"enabled": True}, "application": {"replicas": 2, "canary": chosen}})


@pytest.mark.parametrize("tier", ["web", "application"])
def test_a_fault_is_injected_into_the_requests_to_its_tier(tier: str) -> None:
    deployment = faulty(**{tier: {"delay": DELAY, "abort": ABORT}})
    (service,) = deployment.of_kind("VirtualService")

    assert service.object_name == f"multi-tier-{tier}"
    assert service.inputs["spec"]["hosts"] == [HOSTS[tier]]
    (route,) = service.inputs["spec"]["http"]
    assert route["route"] == [{"destination": {"host": HOSTS[tier]}}]
    assert route["fault"] == {
        "delay": {"percentage": {"value": 10}, "fixedDelay": "500ms"},
        "abort": {"percentage": {"value": 0.5}, "httpStatus": 503},
    }


def test_a_fault_may_be_a_delay_alone() -> None:
    (route,) = faulty(application={"delay": {"fixedDelay": "2s"}}).spec("VirtualService", "multi-tier-application")[
        "http"
    ]

    assert route["fault"] == {"delay": {"percentage": {"value": 100}, "fixedDelay": "2s"}}


def test_a_canary_gets_its_share_of_the_requests() -> None:
    deployment = with_canary()
    (route,) = deployment.spec("VirtualService", "multi-tier-application")["http"]

    assert {one["destination"]["subset"]: one["weight"] for one in route["route"]} == {"stable": 80, "canary": 20}
    assert {one["destination"]["host"] for one in route["route"]} == {HOSTS["application"]}


def test_each_subset_has_the_machines_of_its_version() -> None:
    deployment = with_canary(replicas=2)
    rule = deployment.spec("DestinationRule", "multi-tier-application")
    service = deployment.spec("Service", "multi-tier-application")

    assert rule["host"] == HOSTS["application"]
    selected = {}
    for subset in rule["subsets"]:
        selector = {**service["selector"], **subset["labels"]}.items()
        selected[subset["name"]] = [
            name
            for name in deployment.machines
            if selector <= deployment.machine(name)["template"]["metadata"]["labels"].items()
        ]
    assert selected == {
        "stable": ["multi-tier-application-0", "multi-tier-application-1"],
        "canary": ["multi-tier-application-canary-0", "multi-tier-application-canary-1"],
    }


def test_a_canary_is_as_its_tier_but_for_its_version_and_image() -> None:
    image = {"containerDisk": "quay.io/containerdisks/debian:13"}
    deployment = with_canary(image=image)
    stable, canary = (deployment.instance(f"multi-tier-application-{index}") for index in ("0", "canary-0"))

    assert (
        deployment.volumes("multi-tier-application-canary-0")["root"]["containerDisk"]["image"]
        == image["containerDisk"]
    )
    assert canary["domain"]["memory"] == stable["domain"]["memory"]
    assert canary["readinessProbe"] == stable["readinessProbe"]
    assert deployment.outputs["virtualMachines"]["application"] == [
        "multi-tier-application-0",
        "multi-tier-application-1",
        "multi-tier-application-canary-0",
    ]


def test_another_weight_replaces_no_machine() -> None:
    def machines(deployment: Deployment) -> list[dict[str, Any]]:
        return [deployment.machine(name) for name in deployment.machines]

    assert machines(with_canary(weight=20)) == machines(with_canary(weight=100))


def test_a_tier_with_a_canary_can_have_a_fault() -> None:
    deployment = deploy(
        {
            "mesh": {"enabled": True, "faults": {"application": {"abort": ABORT}}},
            "application": {"canary": {"version": "v2", "weight": 0}},
        }
    )
    (route,) = deployment.spec("VirtualService", "multi-tier-application")["http"]

    assert len(route["route"]) == 2
    assert "abort" in route["fault"]


def test_without_a_fault_or_a_canary_the_mesh_routes_as_the_services_do() -> None:
    deployment = deploy({"mesh": {"enabled": True}})

    assert not [*deployment.of_kind("VirtualService"), *deployment.of_kind("DestinationRule")]
