from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from kube.resources import Object, Resource
from lab.config import Lab
from lab.node import instance
from lab.node.context import Context
from lab.node.guest import Guest
from lab.node.instance import InstanceController
from lab.node.record import Record
from lab.node.specification import BlockedError

UID = "498ce2db-2448-4af1-b3bd-c0eadee685a1"
MACHINE: Object = {"metadata": {"namespace": "shop", "name": "web", "uid": UID}, "spec": {"domain": {}}}
LAUNCHER = {"namespace": "shop", "name": "launcher", "uid": "p", "creationTimestamp": "2026-01-01T00:00:00Z"}
LAUNCHER_POD: Object = {
    "metadata": {**LAUNCHER, "labels": {"kubevirt.io/created-by": UID}},
    "spec": {"containers": [{"name": "compute", "image": "launcher"}]},
}


class FakeGuest:
    """A guest that runs until it is stopped or `code` is set."""

    def __init__(self) -> None:
        self.record = Record(namespace="shop", name="web", uid=UID, address=IPv4Address("10.96.128.1"), started=1.0)
        self.code: int | None = None
        self.calls: list[object] = []

    def has_ended(self) -> bool:
        return self.code is not None

    def exit_code(self) -> int | None:
        return self.code

    def console_tail(self, _: int) -> str:
        return "kernel panic"

    def stop(self, grace: float) -> None:
        self.calls.append(("stop", grace))
        self.code = 137

    def release(self) -> None:
        self.calls.append("release")

    def reboot(self) -> "FakeGuest":
        self.calls.append("reboot")
        self.code = None
        return self


class Node:
    """A controller between fake caches and clients that record what it writes, and as whom."""

    def __init__(self, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        lab = Lab(directory, IPv4Network("10.96.0.0/16"))
        self.guest = FakeGuest()
        self.vmi: Object | None = {**MACHINE, "status": {"phase": "Scheduled"}}
        self.pod: Object | None = {**LAUNCHER_POD, "status": {"phase": "Pending"}}
        self.blocked: BlockedError | None = None
        self.written: list[tuple[Any, ...]] = []
        self.events: list[str] = []
        context = SimpleNamespace(
            lab=lab,
            api=self.client("agent"),
            handler=self.client("handler"),
            events=SimpleNamespace(record=lambda _vmi, _kind, reason, _message: self.events.append(reason)),
            instances=SimpleNamespace(get=lambda *_: self.vmi),
            pods=SimpleNamespace(all=lambda: [self.pod] if self.pod else []),
        )
        monkeypatch.setattr(instance, "unschedulable", lambda *_: None)
        monkeypatch.setattr(instance, "launch", self.launch)
        self.controller = InstanceController(cast("Context", context), ("shop", "web", UID), lambda _: None)

    def launch(self, *_: object) -> tuple[Guest, list[str]]:
        if self.blocked:
            raise self.blocked
        return cast("Guest", self.guest), []

    def client(self, user: str) -> SimpleNamespace:
        def patch(resource: Resource, _name: str, body: Any, *, kind: str, **options: Any) -> None:
            phase = body["status"]["phase"] if isinstance(body, dict) else body[1]["value"]
            self.written.append((user, resource.plural, kind, options.get("subresource"), phase))

        return SimpleNamespace(
            patch=patch,
            request=lambda method, path, _body: self.written.append((user, method, path)),
            delete=lambda _resource, name, *_, **options: self.written.append((user, "DELETE", name, options)),
        )

    def reconcile(self) -> list[tuple[Any, ...]]:
        """Make one pass and return what it has written."""
        self.written = []
        self.controller._reconcile()
        return self.written

    def see(self, phase: str, **metadata: str) -> None:
        """Update the caches with what was written."""
        self.vmi = {**MACHINE, "metadata": {**MACHINE["metadata"], **metadata}, "status": {"phase": phase}}
        self.pod = {**LAUNCHER_POD, "status": {"phase": phase}}


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Node:
    return Node(tmp_path, monkeypatch)


@pytest.fixture
def running(node: Node) -> Node:
    node.reconcile()
    node.see("Running")
    return node


def pod_status(phase: str) -> tuple[str, ...]:
    return "agent", "pods", "strategic-merge", "status", phase


def vmi_status(phase: str) -> tuple[Any, ...]:
    return "handler", "virtualmachineinstances", "json", None, phase


DELETE_POD = ("agent", "DELETE", "launcher", {"grace_seconds": 0, "uid": "p"})


def test_a_started_guest_is_reported_on_its_pod_and_then_on_its_vmi_as_virt_handler(node: Node) -> None:
    binding = ("agent", "POST", "/api/v1/namespaces/shop/pods/launcher/binding")
    assert node.reconcile() == [binding, pod_status("Running"), vmi_status("Running")]
    assert node.events == ["Started"]
    assert node.reconcile() == [pod_status("Running")], "the VMI in the cache is still the old one"


def test_a_guest_that_cannot_start_leaves_its_pod_pending(node: Node) -> None:
    node.blocked = BlockedError("ErrImagePull", "no such image")
    assert node.reconcile()[1:] == [pod_status("Pending")]
    assert node.events == ["ErrImagePull"]


def test_a_deleted_vmi_stops_its_guest_and_ends_its_pod_for_good(running: Node) -> None:
    running.see("Running", deletionTimestamp="now")
    assert running.reconcile() == [vmi_status("Succeeded"), pod_status("Succeeded"), DELETE_POD]
    assert running.guest.calls == [("stop", 30), "release"]


@pytest.mark.parametrize(("code", "phase"), [(0, "Succeeded"), (None, "Failed"), (7, "Failed")])
def test_a_guest_that_ends_is_reported_with_its_result(
    running: Node, monkeypatch: pytest.MonkeyPatch, code: int | None, phase: str
) -> None:
    monkeypatch.setattr(running.guest, "has_ended", lambda: True)
    running.guest.code = code
    assert running.reconcile() == [vmi_status(phase), pod_status(phase)]
    assert ("GuestFailed" in running.events) == (phase == "Failed")
    assert running.guest.calls == ["release"]


def test_a_guest_that_fails_its_liveness_probe_is_stopped(running: Node) -> None:
    running.controller._health._failures["livenessProbe"] = "refused"  # type: ignore[union-attr]
    assert running.reconcile() == [vmi_status("Failed"), pod_status("Failed")]
    assert running.guest.calls == [("stop", 30), "release"]


def test_a_guest_that_reboots_is_started_again(running: Node) -> None:
    running.guest.code = 133
    assert running.reconcile() == [pod_status("Running")]
    assert running.guest.calls == ["reboot"]
