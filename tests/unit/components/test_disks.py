"""Root disks, and what is requested from the storage."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.components.mocks import deploy

CLAIM = {"name": "debian-12", "namespace": "golden"}
URL = "https://images.example/debian-12.qcow2"
DELETION = "pulumi.com/deletionPropagationPolicy"


def test_a_container_disk_is_used_as_it_is() -> None:
    deployment = deploy({"web": {"image": {"containerDisk": "registry.example/golden:1"}}})

    root = deployment.volumes("multi-tier-web-0")["root"]
    assert root["containerDisk"] == {"image": "registry.example/golden:1"}
    assert "dataVolumeTemplates" not in deployment.machine("multi-tier-web-0")


@pytest.mark.parametrize(
    ("image", "source"),
    [
        ({"dataSource": CLAIM}, {"sourceRef": {"kind": "DataSource", **CLAIM}}),
        ({"persistentVolumeClaim": CLAIM}, {"source": {"pvc": CLAIM}}),
        ({"url": URL}, {"source": {"http": {"url": URL}}}),
        (
            {"registry": "quay.io/disks/debian:12"},
            {
                "source": {
                    "registry": {"url": "docker://quay.io/disks/debian:12", "platform": {"architecture": "amd64"}}
                }
            },
        ),
    ],
    ids=["DataSource", "claim", "url", "registry"],
)
def test_each_machine_has_its_own_root_disk_made_from_the_source(image: Any, source: dict[str, Any]) -> None:
    deployment = deploy({"web": {"replicas": 2, "image": image}})

    for name in ("multi-tier-web-0", "multi-tier-web-1"):
        (template,) = deployment.machine(name)["dataVolumeTemplates"]

        assert template["metadata"]["name"] == f"{name}-root"
        assert template["spec"] == {**source, "storage": {"resources": {"requests": {"storage": "30Gi"}}}}
        assert deployment.volumes(name)["root"]["dataVolume"] == {"name": f"{name}-root"}


def test_a_deletion_waits_for_root_disks_because_the_next_machine_takes_their_names() -> None:
    deployment = deploy({"web": {"image": {"url": URL}}})
    waits = {
        name: deployment.object("VirtualMachine", name).inputs["metadata"]["annotations"].get(DELETION)
        for name in ("multi-tier-web-0", "multi-tier-application-0")
    }
    assert waits == {"multi-tier-web-0": None, "multi-tier-application-0": "background"}


def test_storage_is_requested_as_set_and_otherwise_left_to_the_storage_profile() -> None:
    disk = {"size": "40Gi", "storageClass": "fast", "accessMode": "ReadWriteMany", "volumeMode": "Block"}
    deployment = deploy({"web": {"image": {"url": URL, **disk}}, "database": {"dataDisk": disk}})
    (template,) = deployment.machine("multi-tier-web-0")["dataVolumeTemplates"]

    expected = {
        "resources": {"requests": {"storage": "40Gi"}},
        "storageClassName": "fast",
        "accessModes": ["ReadWriteMany"],
        "volumeMode": "Block",
    }
    assert template["spec"]["storage"] == expected
    assert deployment.spec("DataVolume", "multi-tier-database-0-data")["storage"] == expected


def test_no_disk_is_bound_before_its_machine_is_scheduled() -> None:
    # CDI's worker would bind a local disk to a node of the worker's choice, which may not fit the machine.
    deployment = deploy({"database": {"image": {"url": URL}}})
    disk = deployment.object("DataVolume", "multi-tier-database-0-data").inputs["metadata"]
    (template,) = deployment.machine("multi-tier-database-0")["dataVolumeTemplates"]

    for metadata in (disk, template["metadata"]):
        assert "cdi.kubevirt.io/storage.bind.immediate.requested" not in metadata.get("annotations", {})
