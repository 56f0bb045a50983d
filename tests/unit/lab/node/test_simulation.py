"""Simulated guests: what the node reports as if they ran."""

from ipaddress import IPv4Network
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from kube.resources import SIMULATED, Object
from lab.config import GuestKind, Lab
from lab.node import simulation
from lab.node.simulation import SimulatedNode

BINDING = ("api.request", "POST", "/api/v1/namespaces/shop/pods/launcher-web/binding")


def vmi(name: str, phase: str, **metadata: str) -> Object:
    named = {"namespace": "shop", "name": name, "uid": f"{name:0<8}-uid", "annotations": {"kubevirt.io/one": "1"}}
    kind = {"apiVersion": "kubevirt.io/v1", "kind": "VirtualMachineInstance"}
    return {**kind, "metadata": {**named, **metadata}, "spec": {}, "status": {"phase": phase}}


def pod(name: str, phase: str, **metadata: str) -> Object:
    labels, annotations = {"kubevirt.io/created-by": f"{name:0<8}-uid"}, {"kubevirt.io/domain": name}
    named = {"namespace": "shop", "name": f"launcher-{name}", "uid": f"pod-{name}", "labels": labels}
    spec = {"containers": [{"name": "compute", "image": "launcher"}], "nodeName": "" if phase == "Pending" else "lab"}
    return {
        "metadata": {**named, "annotations": annotations, **metadata},
        "spec": spec,
        "status": {"phase": phase},
    }


class Cluster:
    """A simulated node whose caches the test fills, and whose clients record what they are asked."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.calls = Mock()
        self.calls.api.patch.side_effect = self.calls.handler.patch.side_effect = self._patched
        clients = {"node-agent": self.calls.api, "virt-handler": self.calls.handler}
        monkeypatch.setattr(simulation, "connect", lambda path: clients[path.stem])
        self._version = 0
        self.node = SimulatedNode(Lab(Path("/lab"), IPv4Network("10.96.0.0/16"), kind=GuestKind.SIMULATED))

    def _patched(self, resource: Any, name: str, body: Any, **_: Any) -> Object:
        known = (self.node._pods if resource.plural == "pods" else self.node._instances).get("shop", name)
        assert known
        changed = body["status"] if isinstance(body, dict) else {"phase": body[1]["value"]}
        self._version += 1
        metadata = {**known["metadata"], "resourceVersion": str(self._version)}
        spec = {**known["spec"], "nodeName": "lab"}  # it is bound by then
        return {**known, "metadata": metadata, "spec": spec, "status": {**known["status"], **changed}}

    def see(self, *items: Object, present: bool = True) -> list[tuple[Any, ...]]:
        """Let an informer report objects, work until nothing is due, and return what was written."""
        self.calls.reset_mock()
        for item in items:
            self._version += 1
            item["metadata"]["resourceVersion"] = str(self._version)
            cache = self.node._instances if item.get("kind") else self.node._pods
            cache._update(item, present=present)
        while self.node._queue._ready():
            with self.node._queue.next() as uid:
                self.node._reconcile(uid, self.node._guests[uid])
        return [_short(call) for call in self.calls.mock_calls]

    def bodies(self, user: str) -> list[Any]:
        return [call.args[2] for call in getattr(self.calls, user).patch.mock_calls]

    def address(self) -> str:
        [body] = self.bodies("api")
        return str(body["status"]["podIP"])


def _short(call: Any) -> tuple[Any, ...]:
    user, arguments, options = call
    if not user.endswith(".patch"):
        return (user, *arguments[:2])
    resource, _, body = arguments
    phase = body["status"]["phase"] if isinstance(body, dict) else body[1]["value"]
    return (user, resource.plural, options["kind"], phase)


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Cluster:
    return Cluster(monkeypatch)


def pod_is(phase: str) -> tuple[str, ...]:
    return "api.patch", "pods", "strategic-merge", phase


def vmi_is(phase: str) -> tuple[str, ...]:
    return "handler.patch", "virtualmachineinstances", "json", phase


def test_a_guest_runs_as_soon_as_it_has_a_pod_and_its_vmi_says_that_it_is_simulated(cluster: Cluster) -> None:
    assert cluster.see(vmi("web", "Scheduling")) == []
    assert cluster.see(pod("web", "Pending")) == [BINDING, pod_is("Running")]
    assert cluster.see(vmi("web", "Scheduled")) == [vmi_is("Running")]
    assert {"op": "add", "path": f"/metadata/annotations/{SIMULATED.replace('/', '~1')}", "value": "true"} in (
        cluster.bodies("handler")[0]
    )


def test_what_was_written_is_not_written_again_before_the_watch_has_it(cluster: Cluster) -> None:
    scheduled = vmi("web", "Scheduled")
    cluster.see(scheduled, pod("web", "Pending"))
    cluster.node._queue.add(scheduled["metadata"]["uid"])
    assert cluster.see() == []


def test_a_deleted_guest_ends_and_its_pod_is_deleted_for_good(cluster: Cluster) -> None:
    cluster.see(vmi("web", "Scheduled"), pod("web", "Pending"))
    written = cluster.see(vmi("web", "Running", deletionTimestamp="now"))
    assert written[:2] == [vmi_is("Succeeded"), pod_is("Succeeded")]
    assert written[2][0] == "api.delete"
    assert cluster.calls.api.delete.call_args.kwargs == {"grace_seconds": 0, "uid": "pod-web"}


def test_a_guest_whose_pod_is_evicted_ends(cluster: Cluster) -> None:
    cluster.see(vmi("web", "Running"), pod("web", "Pending"))
    written = cluster.see(pod("web", "Running", deletionTimestamp="now"))
    assert [one[0] for one in written] == ["handler.patch", "api.patch", "api.delete"]


def test_a_guest_whose_pod_is_made_to_fail_fails(cluster: Cluster) -> None:
    cluster.see(vmi("web", "Running"), pod("web", "Pending"))
    assert cluster.see(pod("web", "Failed")) == [vmi_is("Failed")]


def test_a_pod_that_is_seen_before_its_vmi_is_left_alone(cluster: Cluster) -> None:
    assert cluster.see(pod("web", "Pending")) == []


def test_no_two_guests_have_an_address_and_another_agent_keeps_it(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = []
    for name in ("web", "application"):
        cluster.see(vmi(name, "Scheduling"), pod(name, "Pending"))
        found.append(cluster.address())
    assert len(set(found)) == 2

    successor = Cluster(monkeypatch)
    running = pod("web", "Running")
    running["status"]["podIP"] = found[1]
    successor.see(vmi("web", "Scheduled"), running)
    assert successor.address() == found[1]


def test_a_guest_for_another_kind_of_node_is_not_scheduled(cluster: Cluster) -> None:
    misplaced = pod("web", "Pending")
    misplaced["spec"]["nodeSelector"] = {"kubernetes.io/arch": "s390x"}
    assert pod_is("Pending") in cluster.see(vmi("web", "Scheduling"), misplaced)
    [event] = [call.args[1] for call in cluster.calls.api.create.mock_calls]
    assert event["reason"] == "FailedScheduling"


def test_nothing_is_kept_of_a_guest_that_is_gone(cluster: Cluster) -> None:
    objects = vmi("web", "Scheduled"), pod("web", "Pending")
    cluster.see(*objects)
    cluster.see(*objects, present=False)
    assert not cluster.node._guests
    assert not cluster.node._taken
