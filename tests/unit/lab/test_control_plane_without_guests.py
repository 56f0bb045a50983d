"""A lab on a loopback subnet is a control plane without guests, which needs no root."""

from __future__ import annotations

import base64
from ipaddress import IPv4Network
from pathlib import Path

import pytest

from lab.cluster import objects
from lab.cluster.control_plane import etcd, kube_apiserver
from lab.cluster.stages import stages
from lab.config import Lab

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
