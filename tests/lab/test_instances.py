"""Several applications from one stack, in waves, by the real engine, on a lab that boots no guests."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from kube.resources import NAMESPACES, SECRETS, VIRTUAL_MACHINES, Object
from lab.config import Lab
from tests.lab.stack import NAME, Stack, stack_file

PREFIXES = [NAME, f"{NAME}-1", f"{NAME}-2", f"{NAME}-3"]


@pytest.fixture(scope="module")
def stack(simulated_lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Stack:
    """Two instances; destroyed by the last test."""

    def change(config: dict[str, Any]) -> None:
        config["multi-tier:instances"] = 2
        config["kubernetes:kubeClientSettings"] = {"qps": 200, "burst": 400, "timeout": 60}

    found = Stack(simulated_lab, stack_file(tmp_path_factory.mktemp("stack"), change))
    found.create()
    return found


def machines(stack: Stack) -> dict[str, dict[str, Object]]:
    """Return the machines by the label of their instance and by name."""
    found: dict[str, dict[str, Object]] = {}
    for one in stack.cluster.list(VIRTUAL_MACHINES, NAME)[0]:
        assert one["status"].get("ready"), one["metadata"]["name"]
        found.setdefault(one["metadata"]["labels"]["app.kubernetes.io/instance"], {})[one["metadata"]["name"]] = one
    return found


def test_each_instance_has_machines_and_credentials_of_its_own(stack: Stack) -> None:
    found = machines(stack)

    assert sorted(found) == stack.outputs()["instances"] == PREFIXES[:2]
    for prefix, of_instance in found.items():
        assert sorted(of_instance) == [f"{prefix}-{tier}-0" for tier in ("application", "database", "web")]
    secrets = [stack.cluster.get(SECRETS, f"{prefix}-credentials", NAME)["data"] for prefix in found]
    assert secrets[0]["password"] != secrets[1]["password"]
    assert stack.preview() == []


def test_more_instances_come_in_waves_and_leave_the_others_alone(stack: Stack) -> None:
    before = machines(stack)
    stack.configure("multi-tier:instances", 4)
    stack.configure("multi-tier:waves.size", 1)
    stack.configure("multi-tier:waves.pause", "10s")
    stack.up()
    after = machines(stack)

    assert sorted(after) == PREFIXES
    for prefix in PREFIXES[:2]:
        assert uids(after[prefix]) == uids(before[prefix])
    starts = [
        min(datetime.fromisoformat(str(one["metadata"]["creationTimestamp"])) for one in after[prefix].values())
        for prefix in PREFIXES[2:]
    ]
    assert (starts[1] - starts[0]).total_seconds() >= 10


def test_fewer_instances_need_consent_and_one_destroy_leaves_nothing(stack: Stack) -> None:
    stack.configure("multi-tier:instances", 2)
    refused = stack.run("preview", "--stack", stack.stack, "--config-file", str(stack.configuration))
    assert refused.returncode != 0
    assert "2 instead of 4 would delete the data disks" in refused.stdout + refused.stderr
    stack.pulumi("destroy", "--yes", "--skip-preview")
    assert stack.cluster.find(NAMESPACES, NAME) is None


def uids(of_instance: dict[str, Object]) -> dict[str, object]:
    return {name: one["metadata"]["uid"] for name, one in of_instance.items()}
