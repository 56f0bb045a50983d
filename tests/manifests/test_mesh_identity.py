"""KubeVirt's own controller gives the Pod of a machine in a mesh the identity of its tier."""

from __future__ import annotations

import time

import pytest

from kube import client
from kube.resources import PODS, VIRTUAL_MACHINES, Object
from lab.config import Lab
from tests.manifests.test_admission import emitted


@pytest.mark.parametrize("tier", ["application", "web"])
def test_the_pod_runs_as_the_account_of_its_tier(control_plane: Lab, namespace: str, tier: str) -> None:
    cluster = client.connect(control_plane.kubeconfig)
    deployment = emitted({"mesh": {"enabled": True}, tier: {"version": "v2"}}, namespace)
    account = deployment.object("ServiceAccount", f"multi-tier-{tier}").inputs
    machine = deployment.object("VirtualMachine", f"multi-tier-{tier}-0").inputs
    # Its Secret with the user data is missing, so it never boots. The database would also wait for its disk.
    cluster.apply(account, machine)
    try:
        pod = launcher(cluster, namespace, f"multi-tier-{tier}-0")
    finally:
        cluster.delete(VIRTUAL_MACHINES, f"multi-tier-{tier}-0", namespace)

    assert pod["spec"]["serviceAccountName"] == f"multi-tier-{tier}"
    labels = pod["metadata"]["labels"]
    # From these, Istio derives the name and the revision of the canonical service.
    assert labels["app.kubernetes.io/name"] == f"multi-tier-{tier}"
    assert labels["app.kubernetes.io/version"] == "v2"
    assert labels["sidecar.istio.io/inject"] == "true"


def launcher(cluster: client.Api, namespace: str, machine: str) -> Object:
    """Wait for the Pod of a machine."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        found, _ = cluster.list(PODS, namespace, labels=f"vm.kubevirt.io/name={machine}")
        if found:
            return found[0]
        time.sleep(0.1)
    raise AssertionError(f"{machine} has no Pod after 30 s")
