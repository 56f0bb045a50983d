"""The data disk of the database."""

from __future__ import annotations

import pytest

from tests.unit.components.mocks import deploy

DISK = "multi-tier-database-0-data"
MACHINE = "multi-tier-database-0"


def test_the_data_disk_is_separate_from_the_machine() -> None:
    deployment = deploy()
    disk = deployment.object("DataVolume", DISK)

    assert disk.inputs["spec"] == {
        "source": {"blank": {}},
        "storage": {"resources": {"requests": {"storage": "10Gi"}}},
    }
    assert disk.parent == deployment.object("VirtualMachine", MACHINE).parent, "as a child, it would be replaced too"
    assert disk.inputs["metadata"]["annotations"]["pulumi.com/skipAwait"] == "true", (
        "with WaitForFirstConsumer, it would never become ready"
    )
    assert deployment.volumes(MACHINE)["data"]["dataVolume"] == {"name": DISK}


def test_the_guest_finds_the_data_disk_by_its_serial_number() -> None:
    deployment = deploy()
    disks = deployment.instance(MACHINE)["domain"]["devices"]["disks"]
    (serial,) = (disk["serial"] for disk in disks if "serial" in disk)

    assert f"/dev/disk/by-id/virtio-{serial}" in deployment.user_data(MACHINE)


def test_a_restored_data_disk_is_adopted() -> None:
    metadata = deploy().object("DataVolume", DISK).inputs["metadata"]

    assert metadata["annotations"]["cdi.kubevirt.io/allowClaimAdoption"] == "true"


@pytest.mark.parametrize(("keep", "fate"), [(True, "keeps"), (False, "deletes")])
def test_the_data_disk_can_outlive_the_stack(keep: bool, fate: str) -> None:
    deployment = deploy({"createNamespace": "false", "database": {"dataDisk": {"keep": keep}}})

    assert deployment.object("DataVolume", DISK).request.retainOnDelete is keep
    assert deployment.outputs["dataDisk"] == f"DataVolume {DISK}: pulumi destroy {fate} it"
    for resource in deployment.resources:
        if resource.kind != "DataVolume":
            assert not resource.request.retainOnDelete, resource.urn
