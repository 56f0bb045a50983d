"""KubeVirt's own admission accepts what the program emits, and refuses invalid machines for the expected reasons."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pulumi
import pytest

from kube.resources import Object
from tests.manifests.admission import Admission
from tests.unit.cloudinit.guest_examples import AUTHORITY, PUBLIC_KEY
from tests.unit.components.mocks import Deployment, deploy

GOLDEN = {"dataSource": {"name": "fedora42", "namespace": "openshift-virtualization-os-images"}}
ON_FEDORA = {"family": "fedora", "instancetype": "u1.small", "preference": "fedora", "image": GOLDEN}
CONFIGS: dict[str, dict[str, Any]] = {
    "defaults": {},
    "scaled": {"application": {"replicas": 2}, "web": {"replicas": 2}},
    "golden images and instancetypes": {"database": ON_FEDORA, "application": ON_FEDORA, "web": ON_FEDORA},
    "root disks of every source": {
        "database": {"image": {"persistentVolumeClaim": {"name": "debian-12", "namespace": "golden"}}},
        "application": {"image": {"url": "https://images.example/a.qcow2"}},
        "web": {"image": {"registry": "registry.example/a", "accessMode": "ReadWriteMany", "volumeMode": "Block"}},
    },
    "sizes, requests and placement": {
        "database": {"size": "large", "cpuRequest": "500m", "memoryRequest": "8Gi", "evictionStrategy": "LiveMigrate"},
        "application": {"nodeSelector": {"example.com/disk": "ssd"}, "topologySpread": "DoNotSchedule"},
        "web": {
            "tolerations": [{"key": "dedicated", "operator": "Exists", "effect": "NoSchedule"}, {"operator": "Exists"}],
            "evictionStrategy": "None",
        },
    },
    "machines for arm64": {
        "database": {"architecture": "arm64"},
        "application": {"architecture": "arm64", "preference": "debian", "instancetype": "u1.small"},
        "web": {
            "family": "fedora",
            "architecture": "arm64",
            "instancetype": "u1.small",
            "preference": "fedora.arm64",
            "image": {"registry": "registry.example/fedora:43"},
        },
    },
    "a closed network": {
        "ssh": {"user": "ann", "authorizedKeys": [PUBLIC_KEY]},
        "proxy": {"http": "http://proxy.example:3128"},
        "packageMirror": {"debian": {"primary": "http://mirror.example/debian"}},
        "certificateAuthorities": [AUTHORITY],
    },
    "a data disk with every setting": {
        "database": {"dataDisk": {"storageClass": "fast", "accessMode": "ReadWriteOncePod", "volumeMode": "Block"}}
    },
    "no load": {"load": {"enabled": False}},
    "load on its own machine, with metrics": {"load": {"dedicated": True}, "metrics": {"enabled": True}},
    "in a mesh": {"mesh": {"enabled": True, "revision": "stable"}, "metrics": {"enabled": True}},
    "two instances": {"instances": "2", "web": {"service": {"type": "LoadBalancer"}}},
    "pools": {
        "application": {
            "replicas": 2,
            "cpuRequest": "500m",
            "pool": {"enabled": True, "autoscaling": {"maxReplicas": 4}},
        },
        "web": {"replicas": 3, "maxUnavailable": 2, "pool": {"enabled": True}},
        "load": {"dedicated": True},
    },
    "pools in a mesh": {"application": {"pool": {"enabled": True}}, "mesh": {"enabled": True}},
    "two IP families": {"ipFamilyPolicy": "PreferDualStack"},
    "a load balancer": {
        "web": {
            "service": {
                "type": "LoadBalancer",
                "nodePort": 30180,
                "loadBalancerClass": "example.com/internal",
                "annotations": {"example.com/pool": "lab"},
            }
        }
    },
    "an Ingress": {
        "web": {
            "service": {"type": "NodePort"},
            "expose": {"kind": "Ingress", "host": "shop.example.com", "className": "nginx", "tlsSecret": "shop-tls"},
        }
    },
    "an Ingress for any host": {"web": {"expose": {"kind": "Ingress"}}},
    "chosen clients": {
        "metrics": {"enabled": True},
        "networkPolicies": {"webFrom": ["ingress", "10.0.0.0/8"], "loadFrom": ["2001:db8::/32"], "metricsFrom": []},
    },
}
U1_SMALL = {"kind": "VirtualMachineClusterInstancetype", "name": "u1.small"}
U1_NANO = {"kind": "VirtualMachineClusterInstancetype", "name": "u1.nano"}
FEDORA = {"kind": "VirtualMachineClusterPreference", "name": "fedora"}
STRAY_DISK = {
    "metadata": {"name": "stray"},
    "spec": {"source": {"blank": {}}, "storage": {"resources": {"requests": {"storage": "1Gi"}}}},
}

Change = Callable[[dict[str, Any]], object]


def instance(spec: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = spec["template"]["spec"]
    return found


def domain(spec: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = instance(spec)["domain"]
    return found


def without_size(spec: dict[str, Any]) -> dict[str, Any]:
    del domain(spec)["cpu"], domain(spec)["memory"]
    return spec


def lost(sent: Any, kept: Any, path: str = "") -> list[str]:
    """Return the paths at which the stored object differs from the sent one."""
    if isinstance(sent, dict) and isinstance(kept, dict):
        return [found for key, value in sent.items() for found in lost(value, kept.get(key), f"{path}.{key}")]
    if isinstance(sent, list) and isinstance(kept, list) and len(sent) == len(kept):
        return [found for n, pair in enumerate(zip(sent, kept, strict=True)) for found in lost(*pair, f"{path}[{n}]")]
    return [] if sent == kept else [path]


def emitted(config: dict[str, Any], namespace: str) -> Deployment:
    return deploy({**config, "namespace": namespace})


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_every_emitted_object_is_accepted_unchanged(
    admission: Admission, namespace: str, config: dict[str, Any]
) -> None:
    for resource in emitted(config, namespace).objects:
        if resource.kind == "Namespace":
            continue
        manifest = resource.inputs
        kept = admission.admit(manifest)

        # A Secret's stringData is write-only: the API stores it as data.
        manifest.pop("stringData", None)
        assert not lost(manifest, kept), f"{resource.urn}: the next preview would show a change"


def test_the_emitted_namespace_is_accepted(admission: Admission, namespace: str) -> None:
    metadata = {"labels": {"pod-security.kubernetes.io/enforce": "privileged"}, "annotations": {"a.example/b": "1"}}
    (made,) = emitted({"namespaceMetadata": metadata}, f"{namespace}-own").of_kind("Namespace")
    admitted = admission.admit(made.inputs)["metadata"]

    assert admitted["labels"]["app.kubernetes.io/instance"] == "multi-tier"
    assert not lost(metadata, admitted)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        pytest.param(lambda spec: instance(spec)["volumes"].pop(), "'data' not found", id="disk without volume"),
        pytest.param(
            lambda spec: instance(spec)["volumes"][1].update(cloudInitNoCloud={"userData": "#" * 2049}),
            "userdata exceeds 2048 byte limit",
            id="user data of 2,049 bytes outside a Secret",
        ),
        pytest.param(lambda spec: spec.update(running=True), "mutually exclusive", id="running with runStrategy"),
        pytest.param(lambda spec: spec.pop("runStrategy"), "RunStrategy must be specified", id="no runStrategy"),
        pytest.param(lambda spec: spec.update(runStrategy="Often"), "Invalid RunStrategy", id="unknown runStrategy"),
        pytest.param(
            lambda spec: spec.update(instancetype=U1_SMALL),
            "conflicts with selected instance type",
            id="memory beside an instancetype",
        ),
        pytest.param(
            lambda spec: without_size(spec).update(instancetype=U1_NANO, preference=FEDORA),
            "insufficient Memory resources of 512Mi provided by instance type, preference requires 2Gi",
            id="preference larger than the instancetype",
        ),
        pytest.param(
            lambda spec: spec.update(dataVolumeTemplates=[STRAY_DISK]),
            "must be referenced in the VMI template's 'volumes' list",
            id="a dataVolumeTemplate that no volume uses",
        ),
        pytest.param(lambda spec: instance(spec).update(vcpus=1), "unknown field", id="unknown field"),
        pytest.param(
            lambda spec: instance(spec)["readinessProbe"].update(httpGet={"port": 80}),
            "must have exactly one probe type set",
            id="a probe of two kinds",
        ),
        pytest.param(
            lambda spec: instance(spec)["readinessProbe"].pop("tcpSocket"), "must be set", id="a probe of no kind"
        ),
        pytest.param(
            lambda spec: instance(spec)["networks"].pop(),
            "Masquerade interface only implemented with pod network",
            id="interface without network",
        ),
        pytest.param(
            lambda spec: domain(spec)["devices"]["disks"][2].update(serial="data base"),
            "must be made up of the following characters",
            id="serial with a space",
        ),
        pytest.param(
            lambda spec: instance(spec)["volumes"][0].update(dataVolume={"name": "a"}),
            "must have exactly one source type set",
            id="root disk from two images",
        ),
        pytest.param(lambda spec: domain(spec)["memory"].update(guest="2GB"), "quantities must match", id="2GB"),
        pytest.param(
            lambda spec: instance(spec).update(architecture="arm64"),
            "machine.type is not supported: q35 (allowed values: [virt*])",
            id="amd64's machine type on arm64",
        ),
    ],
)
def test_an_invalid_machine_is_refused(admission: Admission, namespace: str, change: Change, reason: str) -> None:
    assert reason in admission.refusal(changed(machine(namespace), change))


@pytest.mark.parametrize("architecture", ["amd64", "arm64"])
def test_kubevirt_makes_an_instance_of_a_machine(admission: Admission, namespace: str, architecture: str) -> None:
    deployment = emitted({"database": {"architecture": architecture}}, namespace)
    made = {
        "apiVersion": "kubevirt.io/v1",
        "kind": "VirtualMachineInstance",
        "metadata": {"name": "made", "namespace": namespace},
        "spec": deployment.instance("multi-tier-database-0"),
    }

    # Checked only here, not with the VirtualMachine.
    refusal = "" if architecture == "amd64" else "Arm64 not support Watchdog device"
    watchdog = {"name": "watchdog", "i6300esb": {"action": "reset"}}
    assert admission.admit(made)["spec"]["architecture"] == architecture
    assert refusal in admission.refusal(changed(made, lambda spec: spec["domain"]["devices"].update(watchdog=watchdog)))


@pytest.mark.parametrize(
    ("change", "config"),
    [
        pytest.param(
            lambda spec: domain(spec)["memory"].update(guest="1Mi"), {"database": {"memory": "1Mi"}}, id="no memory"
        ),
        pytest.param(lambda spec: domain(spec)["cpu"].update(sockets=0), {"database": {"vcpus": 0}}, id="no CPU"),
        pytest.param(
            lambda spec: instance(spec)["volumes"][0].update(containerDisk={"image": ""}),
            {"database": {"image": {"containerDisk": ""}}},
            id="no image",
        ),
        pytest.param(
            lambda spec: spec["template"]["metadata"]["labels"].update({"app.kubernetes.io/instance": "a" * 64}),
            {"name": "a" * 64},
            id="a label of 64 characters",
        ),
    ],
)
def test_the_settings_refuse_what_admission_accepts(
    admission: Admission, namespace: str, change: Change, config: dict[str, Any]
) -> None:
    assert not admission.refusal(changed(machine(namespace), change)), "KubeVirt refuses it too: drop our check"
    with pytest.raises(pulumi.RunError, match="has an error"):
        emitted(config, namespace)


def machine(namespace: str) -> Object:
    return emitted({}, namespace).object("VirtualMachine", "multi-tier-database-0").inputs


def changed(manifest: Object, change: Change) -> Object:
    changed = deepcopy(manifest)
    change(changed["spec"])
    return changed
