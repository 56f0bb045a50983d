import base64
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from lab.cluster import certificates
from lab.config import DEFAULT_SUBNET, GuestKind, Lab
from lab.host import kvm
from lab.machines import virt_handler

LABELLER = {"name": "virt-launcher", "env": [{"name": "PREFERRED_VIRTTYPE", "value": "kvm"}]}
DAEMON_SET: dict[str, Any] = {"kind": "DaemonSet", "spec": {"template": {"spec": {"initContainers": [LABELLER]}}}}


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    lab = Lab(tmp_path, DEFAULT_SUBNET, kind=GuestKind.MACHINES)
    certificates.ensure(lab)
    return lab


def test_virt_handler_gets_the_certificates_of_this_lab(lab: Lab) -> None:
    found = virt_handler.objects(lab, [deepcopy(DAEMON_SET)])
    secrets = {item["metadata"]["name"]: item["data"] for item in found if item["kind"] == "Secret"}

    server = secrets["kubevirt-virt-handler-server-certs"]
    assert base64.b64decode(server["tls.crt"]) == (lab.pki / "virt-handler-server.crt").read_bytes()
    assert base64.b64decode(server["tls.key"]) == (lab.pki / "virt-handler-server.key").read_bytes()
    assert len(secrets) == 4
    assert found[0]["data"]["ca-bundle"] == (lab.pki / "ca.crt").read_text()


@pytest.mark.parametrize(("works", "kind"), [(True, "kvm"), (False, "qemu")])
def test_the_node_labeller_asks_for_emulation_where_kvm_runs_no_guest(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, works: bool, kind: str
) -> None:
    monkeypatch.setattr(kvm, "works", lambda: works)
    daemon_set = virt_handler.objects(lab, [deepcopy(DAEMON_SET)])[-1]

    [labeller] = daemon_set["spec"]["template"]["spec"]["initContainers"]
    assert labeller["env"] == [{"name": "PREFERRED_VIRTTYPE", "value": kind}]
