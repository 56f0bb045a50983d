"""The load plan and the gates, and the load generator's access to them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cloudinit import LoadPlan, Profile, render_load_plan
from cloudinit.constants import LOAD_AGENT_PORT, NODE_METRICS_PORT, WEB_PORT
from tests.unit.components.mocks import DEDICATED, METRICS, SCALED, deploy


def config_map(config: dict[str, Any]) -> dict[str, str]:
    data: dict[str, str] = deploy(config).object("ConfigMap", "multi-tier-load").inputs["data"]
    return data


def test_the_config_map_has_the_plan_and_the_gates_in_the_settings() -> None:
    load = {
        "rps": 7,
        "peak": 9,
        "profile": "spike",
        "duration": "2m",
        "concurrency": 3,
        "mix": {"missing": 0, "write": 2},
    }
    found = config_map({"load": load, "gates": {"total": {"p99": 50}, "errorRate": 0.01}, "database": {"scale": 2}})

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
    assert found["plan.json"] == render_load_plan(expected)
    no_limits = {"p95": None, "p99": None}
    assert json.loads(found["gates.json"]) == {
        "total": {"p95": None, "p99": 50},
        "web": no_limits,
        "application": no_limits,
        "database": no_limits,
        "error_rate": 0.01,
        "delivered_share": None,
    }


@pytest.mark.parametrize(
    ("tracing", "sampled"),
    [({}, 1.0), ({"endpoint": "http://collector:4318"}, 0.1), ({"endpoint": "http://c:4318", "sampling": 1}, 1.0)],
    ids=str,
)
def test_sampling_is_as_set_and_complete_for_third_party_tracing(tracing: dict[str, Any], sampled: float) -> None:
    assert json.loads(config_map({"tracing": tracing})["plan.json"])["sampled"] == sampled


@pytest.mark.parametrize(("config", "machine"), [(SCALED, "multi-tier-web-0"), (DEDICATED, "multi-tier-load-0")])
def test_one_machine_runs_the_load_generator_behind_the_service(config: dict[str, Any], machine: str) -> None:
    deployment = deploy(config)
    service = deployment.spec("Service", "multi-tier-load")

    assert [name for name in deployment.machines if "/etc/virtwork/load-api/" in deployment.user_data(name)] == [
        machine
    ]
    assert service["selector"] == {"vm.kubevirt.io/name": machine}
    assert service["ports"] == [{"name": "http", "port": WEB_PORT, "targetPort": LOAD_AGENT_PORT, "protocol": "TCP"}]


def test_a_dedicated_machine_is_probed_and_its_node_exporter_is_scraped() -> None:
    deployment = deploy({**DEDICATED, **METRICS})
    probe = deployment.instance("multi-tier-load-0")["readinessProbe"]
    ports = deployment.spec("Service", "multi-tier-load")["ports"]

    assert probe["httpGet"] == {"path": "/ready", "port": LOAD_AGENT_PORT}
    assert ("node-metrics", NODE_METRICS_PORT) in [(port["name"], port["targetPort"]) for port in ports]


def test_without_load_there_is_no_plan_and_no_account_for_it() -> None:
    deployment = deploy({"load": {"enabled": False}})

    for kind in ("ConfigMap", "ServiceAccount", "Role", "RoleBinding"):
        assert "multi-tier-load" not in [one.object_name for one in deployment.of_kind(kind)]
