"""A machine that this project didn't write, as a user would apply it from a manifest."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from kube import client
from kube.resources import VIRTUAL_MACHINES
from lab.config import Lab
from lab.toolchain.image import GOLDEN
from tests.lab.conftest import new_key
from tests.lab.stack import wait_until
from tests.machines.machine import BOOT_SECONDS, Machine, kubectl

MANIFEST = """\
apiVersion: kubevirt.io/v1
kind: VirtualMachine
metadata:
  name: theirs
  namespace: default
spec:
  runStrategy: Always
  template:
    spec:
      terminationGracePeriodSeconds: 0
      domain:
        cpu: {{cores: 1}}
        memory: {{guest: 256Mi}}
        devices:
          disks:
            - {{name: root, disk: {{bus: virtio}}}}
            - {{name: seed, disk: {{bus: virtio}}}}
          interfaces:
            - {{name: default, masquerade: {{}}}}
      networks:
        - {{name: default, pod: {{}}}}
      readinessProbe:
        exec: {{command: [test, -e, /run/open]}}
        periodSeconds: 2
        timeoutSeconds: 5
      livenessProbe:
        guestAgentPing: {{}}
        initialDelaySeconds: 300
      volumes:
        - name: root
          containerDisk: {{image: {image}}}
        - name: seed
          cloudInitNoCloud:
            userData: |
              #cloud-config
              users:
                - {{name: ann, ssh_authorized_keys: ["{key}"], sudo: "ALL=(ALL) NOPASSWD:ALL"}}
              runcmd: [[touch, /run/open]]
"""


@pytest.fixture
def theirs(lab: Lab, tmp_path: Path) -> Iterator[Machine]:
    key = new_key(tmp_path)
    (tmp_path / "theirs.yaml").write_text(MANIFEST.format(image=GOLDEN, key=key))
    kubectl(lab, "apply", "-f", str(tmp_path / "theirs.yaml"))
    yield Machine(lab, "theirs", "default", tmp_path / "key")
    client.connect(lab.kubeconfig).delete(VIRTUAL_MACHINES, "theirs", "default")


def test_a_probe_inside_the_guest_decides_whether_a_machine_is_ready(theirs: Machine) -> None:
    wait_until("the probe finds the file", theirs.ready, BOOT_SECONDS)
    assert theirs.condition("AgentConnected") == "True"

    assert theirs.ssh("sudo rm /run/open && echo removed") == "removed"
    wait_until("the probe misses the file", lambda: not theirs.ready(), 60)
