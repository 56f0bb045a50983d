"""Machines are replaced, deleted and removed under load: two of a tier fail no request, a database loses no write."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import numpy as np
import pytest
import yaml

from kube.resources import VIRTUAL_MACHINE_INSTANCES, VIRTUAL_MACHINES
from lab.config import PROJECT, Lab
from lab.toolchain.image import GOLDEN
from measure.analysis.recording import SampleBuffer
from measure.analysis.samples import Samples
from tests.lab.stack import Stack, wait_until

NAME = "rolling"
RPS = 100
TIERS = ("application", "web")


@pytest.fixture(scope="module")
def stack(control_plane: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Two application and two web machines, under load from a machine of its own."""
    document = yaml.safe_load((PROJECT / "stacks" / "Pulumi.lab.yaml").read_text())
    config = document["config"]
    config |= {"multi-tier:name": NAME, "multi-tier:namespace": NAME}
    for tier in TIERS:
        config[f"multi-tier:{tier}"]["replicas"] = 2
    config["multi-tier:load"] = {
        "dedicated": True,
        "image": {"containerDisk": GOLDEN},
        "memory": "384Mi",
        "vcpus": 1,
        "rps": RPS,
        "duration": "1h",
        "mix": {"write": 30},
    }
    configuration = tmp_path_factory.mktemp("rolling") / f"Pulumi.{NAME}.yaml"
    configuration.write_text(yaml.safe_dump(document))
    rolling = Stack(control_plane, configuration, stack=NAME, name=NAME)
    assert rolling.run("stack", "select", "--create", NAME).returncode == 0
    # Pulumi writes the new stack's salt to a new file, but the configuration in use has one.
    (PROJECT / "stacks" / configuration.name).unlink(missing_ok=True)
    with rolling.deployed(5) as stack:
        wait_until("load is sent", lambda: stack.load_cluster().status().samples.next > 0, 30)
        yield stack


class Load:
    """The requests that were sent during a change, and for two seconds after it."""

    def __init__(self, stack: Stack) -> None:
        self._cluster = stack.load_cluster()
        self._offset = self._cluster.status().samples.next
        self._started = time.monotonic()
        self._buffer = SampleBuffer()

    def finish(self) -> None:
        time.sleep(2)
        seconds = time.monotonic() - self._started
        while lines := self._cluster.samples(self._offset):
            self._buffer.append(lines)
            self._offset += len(lines)
        assert len(self.samples) > 0.9 * RPS * seconds, "the generator was not interrupted"

    @property
    def samples(self) -> Samples:
        return self._buffer.samples

    @property
    def failed(self) -> list[tuple[float, bytes, int, int]]:
        """The requests that failed: when, of which kind, with which status and error."""
        bad = self.samples[self.samples["good"] == 0]
        return [(float(one["due"]), one["kind"], int(one["status"]), int(one["error"])) for one in bad]

    @property
    def acknowledged_writes(self) -> int:
        return int(np.count_nonzero((self.samples["kind"] == b"write") & (self.samples["status"] == 200)))


@contextmanager
def under_load(stack: Stack) -> Iterator[Load]:
    load = Load(stack)
    yield load
    load.finish()


def machine(stack: Stack, name: str) -> dict[str, Any]:
    found: dict[str, Any] = stack.cluster.get(VIRTUAL_MACHINES, name, NAME)
    return found


def ready_since(found: dict[str, Any]) -> datetime:
    (condition,) = (one for one in found["status"]["conditions"] if one["type"] == "Ready")
    assert condition["status"] == "True"
    return datetime.fromisoformat(condition["lastTransitionTime"])


@pytest.mark.parametrize("tier", TIERS)
def test_a_changed_tier_is_replaced_one_machine_at_a_time_and_fails_no_request(stack: Stack, tier: str) -> None:
    names = [f"{NAME}-{tier}-{index}" for index in range(2)]
    before = [machine(stack, name)["metadata"]["uid"] for name in names]
    stack.configure(f"multi-tier:{tier}.version", "v2")
    with under_load(stack) as load:
        stack.up()

    first, second = (machine(stack, name) for name in names)
    assert not {first["metadata"]["uid"], second["metadata"]["uid"]} & set(before)
    assert datetime.fromisoformat(second["metadata"]["creationTimestamp"]) >= ready_since(first)
    assert load.failed == []


@pytest.mark.parametrize("tier", TIERS)
def test_a_deleted_instance_of_two_fails_no_request(stack: Stack, tier: str) -> None:
    name = f"{NAME}-{tier}-0"
    before = stack.instance_uid(name)
    with under_load(stack) as load:
        stack.cluster.delete(VIRTUAL_MACHINE_INSTANCES, name, NAME)

        def replaced() -> bool:
            found = stack.cluster.find(VIRTUAL_MACHINE_INSTANCES, name, NAME)
            return bool(found and found["metadata"]["uid"] != before and stack.machine_ready(name))

        wait_until("its successor is ready", replaced)

    assert load.failed == []


def test_a_changed_database_fails_requests_until_it_serves_again_and_keeps_each_acknowledged_write(
    stack: Stack,
) -> None:
    def history() -> int:
        with stack.database() as connection:
            (lines,) = connection.execute("SELECT count(*) FROM pgbench_history").fetchone() or (0,)
        return int(lines)

    before = history()
    stack.configure("multi-tier:database.version", "v2")
    with under_load(stack) as load, stack.client() as client:
        stack.up()
        wait_until("requests succeed", lambda: client.get("/api/v1/accounts/1").status_code == 200, 15)

    assert history() - before >= load.acknowledged_writes > 0
    assert load.failed, "the only machine was away"
    assert load.samples["good"][-RPS:].all(), "requests of the last second"


def test_a_tier_scales_in_without_a_failed_request(stack: Stack) -> None:
    for tier in TIERS:
        stack.configure(f"multi-tier:{tier}.replicas", 1)
    kept = [machine(stack, f"{NAME}-{tier}-0")["metadata"]["uid"] for tier in TIERS]
    with under_load(stack) as load:
        stack.up()

    assert [stack.cluster.find(VIRTUAL_MACHINES, f"{NAME}-{tier}-1", NAME) for tier in TIERS] == [None, None]
    assert [machine(stack, f"{NAME}-{tier}-0")["metadata"]["uid"] for tier in TIERS] == kept
    assert load.failed == []
