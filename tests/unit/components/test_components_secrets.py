"""What is secret stays in Secrets, marked as such, and what may read them may do nothing else."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cloudinit import LoadPlan, Profile, render_load_plan
from tests.unit.components.mocks import AUTHORITY, PASSWORD, TOKEN, Deployment, deploy, is_secret, plain, public

GOLDEN = {"dataSource": {"name": "fedora", "namespace": "golden"}}
CONFIGS: list[dict[str, Any]] = [
    {},
    {"application": {"replicas": 2}, "web": {"replicas": 2}},
    {"database": {"family": "fedora", "image": GOLDEN}, "load": {"enabled": False}},
]


@pytest.mark.parametrize("config", CONFIGS)
def test_no_password_or_token_is_in_any_input_that_is_not_marked_secret(config: dict[str, Any]) -> None:
    deployment = deploy(config)
    for resource in deployment.resources:
        shown = json.dumps(public(resource.wire)) + str(resource.request.replacement_trigger)

        assert PASSWORD not in shown, resource.urn
        assert TOKEN not in shown, resource.urn


@pytest.mark.parametrize("config", CONFIGS)
def test_passwords_and_tokens_reach_secrets_only(config: dict[str, Any]) -> None:
    deployment = deploy(config)
    holders = {
        resource.kind
        for resource in deployment.resources
        if any(secret in json.dumps(plain(resource.wire)) for secret in (PASSWORD, TOKEN))
    }

    assert holders == {"Secret"}


def test_no_output_tells_a_secret() -> None:
    outputs = json.dumps(deploy().outputs)

    assert PASSWORD not in outputs
    assert TOKEN not in outputs


@pytest.mark.parametrize("config", CONFIGS)
def test_all_user_data_is_marked_secret(config: dict[str, Any]) -> None:
    user_data = [
        resource.wire["stringData"]
        for resource in deploy(config).of_kind("Secret")
        if resource.object_name.endswith("-cloud-init")
    ]

    assert user_data
    assert all(is_secret(data) or is_secret(data["userdata"]) for data in user_data)


def test_what_replaces_a_machine_is_not_secret_or_the_engine_would_not_see_it_change() -> None:
    for machine in deploy().of_kind("VirtualMachine"):
        trigger = machine.request.replacement_trigger.string_value

        assert len(trigger) == 64, "a SHA-256 in plain text"


def test_the_password_is_random_and_needs_no_quoting_anywhere() -> None:
    (password,) = (r for r in deploy().resources if r.type == "random:index/randomPassword:RandomPassword")

    assert password.inputs["length"] >= 32
    assert password.inputs["special"] is False


def rules(deployment: Deployment) -> list[dict[str, Any]]:
    return [rule for role in deployment.of_kind("Role") for rule in role.inputs["rules"]]


def test_the_load_generator_may_read_its_plan_and_nothing_else() -> None:
    assert rules(deploy()) == [
        {
            "apiGroups": [""],
            "resources": ["configmaps"],
            "resourceNames": ["multi-tier-load"],
            "verbs": ["get", "list", "watch"],
        }
    ]


def test_only_the_load_generators_own_account_is_granted_that() -> None:
    deployment = deploy()
    binding = deployment.object("RoleBinding", "multi-tier-load").inputs

    assert binding["subjects"] == [{"kind": "ServiceAccount", "name": "multi-tier-load", "namespace": "multi-tier"}]
    assert binding["roleRef"]["kind"] == "Role"
    assert deployment.object("ServiceAccount", "multi-tier-load")
    token = deployment.object("Secret", "multi-tier-load").inputs
    assert token["type"] == "kubernetes.io/service-account-token"
    assert token["metadata"]["annotations"] == {"kubernetes.io/service-account.name": "multi-tier-load"}


def test_the_load_runs_on_the_first_web_machine_only() -> None:
    deployment = deploy({"web": {"replicas": 2}})

    assert TOKEN in deployment.user_data("multi-tier-web-0")
    assert AUTHORITY.splitlines()[1] in deployment.user_data("multi-tier-web-0")
    assert TOKEN not in deployment.user_data("multi-tier-web-1")


def test_the_load_plan_and_the_gates_are_what_the_settings_say() -> None:
    load = {
        "rps": 7,
        "peak": 9,
        "profile": "spike",
        "duration": "2m",
        "concurrency": 3,
        "mix": {"missing": 0, "write": 2},
    }
    gates = {"total": {"p99": 50}, "errorRate": 0.01}
    deployment = deploy({"load": load, "gates": gates, "database": {"scale": 2}})

    expected = LoadPlan(
        profile=Profile.SPIKE,
        rps=7,
        peak=9,
        seconds=120,
        concurrency=3,
        accounts=200_000,
        mix={"random": 80, "hot": 15, "missing": 0, "slow": 0, "write": 2},
        seed=1,
    )
    found = deployment.object("ConfigMap", "multi-tier-load").inputs["data"]
    assert found["plan.json"] == render_load_plan(expected)
    none = {"p95": None, "p99": None}
    assert json.loads(found["gates.json"]) == {
        "total": {"p95": None, "p99": 50},
        "web": none,
        "application": none,
        "database": none,
        "error_rate": 0.01,
        "delivered_share": None,
    }


@pytest.mark.parametrize(
    ("tracing", "sampled"),
    [({}, 1.0), ({"endpoint": "http://collector:4318"}, 0.1), ({"endpoint": "http://c:4318", "sampling": 1}, 1.0)],
    ids=str,
)
def test_the_share_of_traced_requests_is_the_settings_or_all_where_others_trace(
    tracing: dict[str, Any], sampled: float
) -> None:
    found = deploy({"tracing": tracing}).object("ConfigMap", "multi-tier-load").inputs["data"]

    assert json.loads(found["plan.json"])["sampled"] == sampled


def test_without_load_there_is_no_plan_no_account_and_no_token() -> None:
    deployment = deploy({"load": {"enabled": False}})

    for kind in ("ConfigMap", "ServiceAccount", "Role", "RoleBinding"):
        assert not deployment.of_kind(kind)
    assert TOKEN not in json.dumps([resource.inputs for resource in deployment.resources])
    assert "measure" not in deployment.outputs
