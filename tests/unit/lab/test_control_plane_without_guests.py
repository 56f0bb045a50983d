"""A lab on a loopback subnet is a control plane without guests, which needs no root."""

from __future__ import annotations

import base64
import sys
from ipaddress import IPv4Network
from pathlib import Path

import pytest

from lab.cluster import objects, process
from lab.cluster.control_plane import etcd, kube_apiserver
from lab.cluster.process import Component
from lab.cluster.stages import stages
from lab.config import Lab
from lab.errors import LabError

WEBHOOK = {"clientConfig": {"service": {"name": "virt-api", "namespace": "kubevirt", "path": "/validate"}}}


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    found = Lab(tmp_path, IPv4Network("127.98.0.0/16"))
    found.pki.mkdir()
    (found.pki / "ca.crt").write_bytes(b"authority")
    return found


def test_it_listens_only_on_its_own_loopback_address(lab: Lab) -> None:
    assert not lab.isolated
    for component in (etcd(lab), kube_apiserver(lab)):
        listening = [word for word in component.command if word.startswith(("--listen-", "--bind-"))]
        assert listening
        assert all("127.98.64.2" in word for word in listening)
    assert not lab.service_subnet.is_loopback, "the API server refuses such addresses for Services"


def test_it_has_no_components_for_guests(lab: Lab) -> None:
    names = [component.name for stage in stages(lab) for component in stage]
    assert names == ["etcd", "kube-apiserver", "kube-controller-manager", "virt-api"]


def test_webhooks_are_called_by_address_because_a_service_cannot_have_a_loopback_endpoint(lab: Lab) -> None:
    manifest = {"kind": "ValidatingWebhookConfiguration", "webhooks": [WEBHOOK]}
    (made,) = objects.admission(lab, [manifest])
    assert made["webhooks"][0]["clientConfig"] == {
        "url": "https://127.98.64.2:8443/validate",
        "caBundle": base64.b64encode(b"authority").decode(),
    }


def test_a_component_starts_and_stops_without_namespace_or_control_group(lab: Lab) -> None:
    component = Component("sleeper", [sys.executable, "-c", "import time; time.sleep(60)"], lambda: None, {})
    process.start(lab, component)
    assert process.find(lab, "sleeper")
    process.stop(lab, "sleeper")
    assert process.find(lab, "sleeper") is None
    process.stop(lab, "sleeper")  # does nothing


def test_a_component_that_can_not_be_recorded_does_not_run(lab: Lab, tmp_path: Path) -> None:
    (lab.records / "sleeper.json.new").mkdir(parents=True)  # like a full disk, this fails the write
    pid = tmp_path / "pid"
    script = f"import os, pathlib, time; pathlib.Path({str(pid)!r}).write_text(str(os.getpid())); time.sleep(60)"
    with pytest.raises(LabError, match="sleeper can't be recorded, so it was stopped again"):
        process.start(lab, Component("sleeper", [sys.executable, "-c", script], lambda: None, {}))
    assert not pid.exists() or process.start_time(int(pid.read_text())) is None


@pytest.mark.parametrize("text", ["", "null", "{}", '{"pid": 1'])
def test_a_torn_record_is_of_no_component(lab: Lab, text: str) -> None:
    lab.records.mkdir()
    (lab.records / "sleeper.json").write_text(text)
    assert process.find(lab, "sleeper") is None


def test_stopping_reports_a_component_that_does_not_end(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    component = Component("sleeper", [sys.executable, "-c", "import time; time.sleep(60)"], lambda: None, {})
    process.start(lab, component)
    with monkeypatch.context() as patched:
        patched.setattr("os.killpg", lambda *_: None)
        with pytest.raises(LabError, match=r"sleeper.* does not end"):
            process.stop(lab, "sleeper", timeout=0.1)
    process.stop(lab, "sleeper")
