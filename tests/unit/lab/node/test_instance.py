from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from kube.resources import Object
from lab.config import Lab
from lab.node import instance
from lab.node.guest import REBOOT, Guest
from lab.node.instance import InstanceController
from lab.node.record import Record
from lab.node.specification import BlockedError

UID = "498ce2db-2448-4af1-b3bd-c0eadee685a1"
VMI: Object = {"metadata": {"namespace": "shop", "name": "web", "uid": UID}, "spec": {"domain": {}}}
LAUNCHER = {"namespace": "shop", "name": "launcher", "uid": "p", "creationTimestamp": ""}
POD: Object = {
    "metadata": {**LAUNCHER, "labels": {"kubevirt.io/created-by": UID}},
    "spec": {"containers": [{"name": "compute", "image": "launcher"}]},
}


class Node:
    """A controller with a mocked guest, caches that the test fills, and clients that record their calls."""

    def __init__(self, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        record = Record(namespace="shop", name="web", uid=UID, address=IPv4Address("10.96.128.1"), started=1.0)
        self.guest = Mock(spec=Guest, record=record, **{"console_tail.return_value": "panic"})
        self.guest.reboot.return_value = self.guest
        self.end(running=True)
        self.launch = Mock(return_value=(self.guest, []))
        monkeypatch.setattr(instance, "launch", self.launch)
        monkeypatch.setattr(instance, "unschedulable", lambda *_: None)
        self.context = Mock(lab=Lab(directory, IPv4Network("10.96.0.0/16")))
        self.controller = InstanceController(self.context, ("shop", "web", UID), lambda _: None)
        self.see("Scheduled", "Pending")

    def end(self, code: int | None = None, *, running: bool = False) -> None:
        self.guest.has_ended.return_value, self.guest.exit_code.return_value = not running, code

    def see(self, vmi_phase: str, pod_phase: str, **metadata: str) -> None:
        vmi = {**VMI, "metadata": {**VMI["metadata"], **metadata}, "status": {"phase": vmi_phase}}
        self.context.instances.get.return_value = vmi
        self.context.pods.all.return_value = [{**POD, "status": {"phase": pod_phase}}]

    def reconcile(self) -> list[Any]:
        """Make one pass and return what it has written, and as which user."""
        self.context.reset_mock()
        self.controller._reconcile()
        written = []
        for user, arguments, options in self.context.mock_calls:
            if user in ("api.patch", "handler.patch"):
                resource, _, body = arguments
                phase = body["status"]["phase"] if isinstance(body, dict) else body[1]["value"]
                written.append((user, resource.plural, options["kind"], options.get("subresource"), phase))
            elif user.startswith("api."):
                written.append((user, *arguments[:2], *options.values()))
        return written

    def events(self) -> list[str]:
        return [call.args[2] for call in self.context.events.record.mock_calls]


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Node:
    return Node(tmp_path, monkeypatch)


@pytest.fixture
def running(node: Node) -> Node:
    node.reconcile()
    node.see("Running", "Running")
    return node


def pod(phase: str) -> tuple[str, ...]:
    return "api.patch", "pods", "strategic-merge", "status", phase


def vmi(phase: str) -> tuple[Any, ...]:
    return "handler.patch", "virtualmachineinstances", "json", None, phase


BINDING = ("api.request", "POST", "/api/v1/namespaces/shop/pods/launcher/binding")


def test_a_started_guest_is_reported_on_its_pod_and_then_on_its_vmi_as_virt_handler(node: Node) -> None:
    assert node.reconcile() == [BINDING, pod("Running"), vmi("Running")]
    assert node.events() == ["Started"]
    assert node.reconcile() == [pod("Running")], "the VMI in the cache may be older than the last report"


def test_a_guest_that_cannot_start_leaves_its_pod_pending(node: Node) -> None:
    node.launch.side_effect = BlockedError("ErrImagePull", "no such image")
    assert node.reconcile() == [BINDING, pod("Pending")]
    assert node.events() == ["ErrImagePull"]


def test_a_deleted_vmi_stops_its_guest_and_its_pod_is_deleted_for_good(running: Node) -> None:
    running.see("Running", "Running", deletionTimestamp="now")
    written = running.reconcile()
    assert written[:2] == [vmi("Succeeded"), pod("Succeeded")]
    assert written[2][0] == "api.delete"
    assert written[2][2:] == ("launcher", 0, "p"), "without grace, and only while it has this uid"
    running.guest.stop.assert_called_once_with(30)


@pytest.mark.parametrize(("code", "phase"), [(0, "Succeeded"), (None, "Failed"), (7, "Failed")])
def test_a_guest_that_ends_is_reported_with_its_result(running: Node, code: int | None, phase: str) -> None:
    running.end(code)
    assert running.reconcile() == [vmi(phase), pod(phase)]
    assert running.events() == (["GuestFailed"] if phase == "Failed" else [])
    running.guest.release.assert_called_once_with()


def test_a_guest_that_fails_its_liveness_probe_is_stopped(running: Node) -> None:
    running.controller._health = Mock(why_not_alive="refused")
    assert running.reconcile() == [vmi("Failed"), pod("Failed")]
    running.guest.stop.assert_called_once_with(30)


def test_a_guest_that_reboots_is_started_again(running: Node) -> None:
    running.end(REBOOT)
    running.reconcile()
    running.guest.reboot.assert_called_once_with()
