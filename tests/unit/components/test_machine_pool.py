"""Tiers as VirtualMachinePools: what KubeVirt is told, and when a pool counts as changed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from components.machine_pool import FINGERPRINT, late
from kube.client import Api
from tests.unit.components.mocks import DEDICATED, Deployment, deploy

POOL = {"pool": {"enabled": True}}
APPLICATION = "multi-tier-application-pool"


def pools(application: dict[str, Any] | None = None, **others: Any) -> Deployment:
    """Return a deployment with both tiers as pools of three machines."""
    tier = {"replicas": 3, **POOL}
    return deploy({"application": {**tier, **(application or {})}, "web": tier, **DEDICATED, **others})


def spec(deployment: Deployment, tier: str = "application") -> dict[str, Any]:
    return deployment.spec("VirtualMachinePool", f"multi-tier-{tier}-pool")


def template(deployment: Deployment) -> dict[str, Any]:
    found: dict[str, Any] = spec(deployment)["virtualMachineTemplate"]["spec"]["template"]
    return found


def fingerprint(deployment: Deployment) -> str:
    return str(template(deployment)["metadata"]["annotations"][FINGERPRINT])


def test_a_tier_as_a_pool_has_no_machines_of_its_own() -> None:
    deployment = pools()

    assert deployment.machines == ["multi-tier-database-0", "multi-tier-load-0"]
    assert [one.object_name for one in deployment.of_kind("VirtualMachinePool")] == [APPLICATION, "multi-tier-web-pool"]
    assert deployment.outputs["virtualMachines"]["application"] == [f"{APPLICATION}-{index}" for index in range(3)]


@pytest.mark.parametrize("tier", ["application", "web"])
def test_its_machines_are_selected_as_single_ones_are(tier: str) -> None:
    deployment = pools()
    found = spec(deployment, tier)
    machine, instance = found["virtualMachineTemplate"], found["virtualMachineTemplate"]["spec"]["template"]
    selectors = [
        deployment.spec("Service", f"multi-tier-{tier}")["selector"],
        deployment.spec("NetworkPolicy", f"multi-tier-{tier}")["podSelector"]["matchLabels"],
        found["selector"]["matchLabels"],
    ]

    for selector in selectors:
        assert selector.items() <= instance["metadata"]["labels"].items()
    assert found["selector"]["matchLabels"].items() <= machine["metadata"]["labels"].items()


def test_it_is_as_a_single_machine_but_for_what_identifies_one() -> None:
    single = deploy({"application": {"replicas": 3}}).instance("multi-tier-application-0")
    pooled = template(pools())["spec"]

    del single["domain"]["firmware"], single["domain"]["devices"]["interfaces"][0]["macAddress"]
    assert pooled == single


def test_its_machines_share_the_user_data() -> None:
    deployment = pools()
    (volume,) = (one for one in template(deployment)["spec"]["volumes"] if "cloudInitNoCloud" in one)

    assert volume["cloudInitNoCloud"] == {"secretRef": {"name": "multi-tier-application-cloud-init"}}
    secret = deployment.object("Secret", "multi-tier-application-cloud-init")
    assert deployment.object("VirtualMachinePool", APPLICATION).depends_on >= {secret.urn}


@pytest.mark.parametrize(
    ("chosen", "expected"), [({}, "25%"), ({"maxUnavailable": "50%"}, "50%"), ({"maxUnavailable": 2}, 2)]
)
def test_it_rolls_as_many_machines_at_a_time_as_a_tier_without_a_pool(chosen: dict[str, Any], expected: object) -> None:
    found = spec(pools(chosen))

    assert found["maxUnavailable"] == expected
    assert found["updateStrategy"].keys() == {"proactive"}


def test_scaling_in_keeps_the_first_machines() -> None:
    assert spec(pools())["scaleInStrategy"] == {
        "proactive": {"selectionPolicy": {"sortPolicy": "DescendingOrder"}},
    }


def test_the_tier_in_front_starts_once_all_machines_of_a_pool_are_ready() -> None:
    deployment = pools(timeouts={"ready": "7m"})
    pool = deployment.object("VirtualMachinePool", APPLICATION)

    assert pool.inputs["metadata"]["annotations"]["pulumi.com/waitFor"] == "jsonpath={$[?@.readyReplicas > 2]}"
    assert pool.request.customTimeouts.create == "7m"
    assert deployment.object("VirtualMachinePool", "multi-tier-web-pool").depends_on >= {pool.urn}


@pytest.mark.parametrize(
    "change",
    [
        {"application": {"memory": "2Gi"}},
        {"application": {"version": "v2"}},
        {"tracing": {"endpoint": "http://collector.example:4318"}},
    ],
    ids=["memory", "version", "user data"],
)
def test_what_makes_other_machines_restarts_them(change: dict[str, Any]) -> None:
    others = {key: value for key, value in change.items() if key != "application"}

    assert fingerprint(pools(change.get("application"), **others)) != fingerprint(pools())


@pytest.mark.parametrize("change", [{"replicas": 5}, {"maxUnavailable": 3}])
def test_what_changes_no_machine_restarts_none(change: dict[str, Any]) -> None:
    assert template(pools(change)) == template(pools())


def test_no_secret_is_in_a_pool() -> None:
    pool = pools().object("VirtualMachinePool", APPLICATION)

    assert "sentinel" not in json.dumps(pool.inputs)
    assert len(fingerprint(pools())) == 64


def test_an_autoscaler_scales_by_the_guests_cpu_and_keeps_the_replicas() -> None:
    scaling = {"pool": {"enabled": True, "autoscaling": {"maxReplicas": 6, "targetCpu": 60}}, "cpuRequest": "500m"}
    deployment = pools(scaling)
    found = deployment.spec("HorizontalPodAutoscaler", APPLICATION)
    (metric,) = found["metrics"]

    assert (found["minReplicas"], found["maxReplicas"]) == (3, 6)
    assert found["scaleTargetRef"] == {
        "apiVersion": "pool.kubevirt.io/v1beta1",
        "kind": "VirtualMachinePool",
        "name": APPLICATION,
    }
    assert metric["containerResource"] == {
        "name": "cpu",
        "container": "compute",
        "target": {"type": "Utilization", "averageUtilization": 60},
    }
    assert list(deployment.object("VirtualMachinePool", APPLICATION).request.ignoreChanges) == ["spec.replicas"]
    assert not deployment.object("VirtualMachinePool", "multi-tier-web-pool").request.ignoreChanges


class Cluster(Api):
    """An API server that lists machines and their instances."""

    def __init__(self, machines: list[str], instances: list[dict[str, Any]]) -> None:
        self._items = {
            "virtualmachines": [{"metadata": {"name": name}} for name in machines],
            "virtualmachineinstances": instances,
        }

    def request(self, method: str, path: str, *_: object, **query: Any) -> dict[str, Any]:
        assert (method, query["labelSelector"]) == ("GET", "a=b")
        items = self._items[path.rpartition("/")[2]]
        return {"apiVersion": "v1", "kind": "List", "items": items, "metadata": {"resourceVersion": "1"}}


def instance(name: str, mark: str = "new", ready: str = "True", **metadata: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": name, "annotations": {FINGERPRINT: mark}, **metadata},
        "status": {"conditions": [{"type": "Ready", "status": ready}]},
    }


@pytest.mark.parametrize(
    ("changing", "finished"),
    [
        (instance("pool-0"), True),
        (instance("pool-0", mark="old"), False),
        (instance("pool-0", ready="False"), False),
        (instance("pool-0", deletionTimestamp="2026-11-25T10:00:00Z"), False),
        (instance("another"), False),
    ],
    ids=["new", "old", "not ready", "being deleted", "missing"],
)
def test_a_change_is_over_once_each_machine_has_a_new_instance_that_is_ready(
    changing: dict[str, Any], finished: bool
) -> None:
    cluster = Cluster(["pool-0", "pool-1", "single-0"], [changing, instance("pool-1")])

    assert late(cluster, "pool", "here", {"a": "b"}, "new") == ([] if finished else ["pool-0"])
