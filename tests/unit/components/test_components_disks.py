"""Where root disks come from, what the storage is asked for, and what becomes of the data disk."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.components.mocks import deploy
from tests.unit.components.test_components import volumes

CLAIM = {"name": "debian-12", "namespace": "golden"}
URL = "https://images.example/debian-12.qcow2"


@pytest.mark.parametrize(
    ("image", "source"),
    [
        ({"dataSource": CLAIM}, {"sourceRef": {"kind": "DataSource", **CLAIM}}),
        ({"persistentVolumeClaim": CLAIM}, {"source": {"pvc": CLAIM}}),
        ({"url": URL}, {"source": {"http": {"url": URL}}}),
        (
            {"registry": "quay.io/disks/debian:12"},
            {"source": {"registry": {"url": "docker://quay.io/disks/debian:12"}}},
        ),
    ],
    ids=["DataSource", "claim", "url", "registry"],
)
def test_each_machine_has_a_root_disk_of_its_own_made_from_the_source(image: Any, source: dict[str, Any]) -> None:
    deployment = deploy({"web": {"replicas": 2, "image": image}})

    for name in ("multi-tier-web-0", "multi-tier-web-1"):
        (template,) = deployment.machine(name)["dataVolumeTemplates"]
        storage = template["spec"].pop("storage")

        assert template["metadata"]["name"] == f"{name}-root"
        assert template["spec"] == source
        assert storage == {"resources": {"requests": {"storage": "30Gi"}}}
        assert volumes(deployment, name)["root"]["dataVolume"] == {"name": f"{name}-root"}


def test_a_disk_is_asked_for_as_the_settings_say_and_else_left_to_the_storage_profile() -> None:
    wanted = {"size": "40Gi", "storageClass": "fast", "accessMode": "ReadWriteMany", "volumeMode": "Block"}
    deployment = deploy({"web": {"image": {"url": URL, **wanted}}, "database": {"dataDisk": wanted}})
    (template,) = deployment.machine("multi-tier-web-0")["dataVolumeTemplates"]

    assert template["spec"]["storage"] == {
        "resources": {"requests": {"storage": "40Gi"}},
        "storageClassName": "fast",
        "accessModes": ["ReadWriteMany"],
        "volumeMode": "Block",
    }
    assert (
        deployment.object("DataVolume", "multi-tier-database-0-data").inputs["spec"]["storage"]
        == (template["spec"]["storage"])
    )


def test_no_disk_is_bound_before_its_machine_is_placed() -> None:
    # CDI's worker would bind a local disk to the node that suits the worker, which the machine may not fit.
    deployment = deploy({"database": {"image": {"url": URL}}})
    disk = deployment.object("DataVolume", "multi-tier-database-0-data").inputs["metadata"]
    (template,) = deployment.machine("multi-tier-database-0")["dataVolumeTemplates"]

    for metadata in (disk, template["metadata"]):
        assert "cdi.kubevirt.io/storage.bind.immediate.requested" not in metadata.get("annotations", {})


def test_a_data_disk_that_was_restored_is_taken_over() -> None:
    metadata = deploy().object("DataVolume", "multi-tier-database-0-data").inputs["metadata"]

    assert metadata["annotations"]["cdi.kubevirt.io/allowClaimAdoption"] == "true"


@pytest.mark.parametrize(("keep", "fate"), [(True, "leaves"), (False, "deletes")])
def test_what_becomes_of_the_data_disk_is_said_and_done(keep: bool, fate: str) -> None:
    deployment = deploy({"createNamespace": "false", "database": {"dataDisk": {"keep": keep}}})

    assert deployment.object("DataVolume", "multi-tier-database-0-data").request.retainOnDelete is keep
    assert deployment.outputs["dataDisk"] == f"DataVolume multi-tier-database-0-data: pulumi destroy {fate} it"
    for resource in deployment.resources:
        if resource.kind != "DataVolume":
            assert not resource.request.retainOnDelete, resource.urn
