import base64
import copy
from pathlib import Path
from typing import Any

import pytest

from lab.node import specification
from lab.node.specification import BlockedError, Disk, Lookup

VMI: dict[str, Any] = {
    "metadata": {"namespace": "shop", "name": "shop-database-0", "uid": "498ce2db-2448-4af1-b3bd-c0eadee685a1"},
    "spec": {
        "domain": {
            "cpu": {"cores": 2, "sockets": 1, "threads": 1},
            "memory": {"guest": "1Gi"},
            "firmware": {"uuid": "0580de29-12b4-4063-94df-90087b458521"},
            "devices": {"disks": [{"name": "root"}, {"name": "init"}, {"name": "data", "serial": "database"}]},
        },
        "volumes": [
            {"name": "root", "containerDisk": {"image": "localhost/image:1"}},
            {"name": "init", "cloudInitNoCloud": {"secretRef": {"name": "init"}}},
            {"name": "data", "dataVolume": {"name": "data"}},
        ],
    },
}
FOUND = Lookup(
    secret={"init": {"userdata": b"#cloud-config\n"}, "camel": {"userData": b"x"}}.get,
    claim={"data": Path("/disks/data.raw")}.get,
    scratch=Path("/scratch"),
)


@pytest.fixture
def vmi() -> dict[str, Any]:
    return copy.deepcopy(VMI)


def test_size_image_name_and_cloud_init_data_are_read(vmi: dict[str, Any]) -> None:
    guest = specification.read(vmi, FOUND)
    assert (guest.cpus, guest.memory, guest.image) == (2, 1 << 30, "localhost/image:1")
    assert (guest.user_data, guest.network_data) == (b"#cloud-config\n", None)
    assert guest.hostname == "shop-database-0"
    vmi["spec"]["hostname"] = "db"
    assert specification.read(vmi, FOUND).hostname == "db"


def test_disks_are_named_as_on_a_virtio_bus(vmi: dict[str, Any]) -> None:
    disk = Disk(Path("/disks/data.raw"), ("vdc", "disk/by-id/virtio-database"))
    assert specification.read(vmi, FOUND).disks == (disk,)


def test_an_empty_disk_is_created_with_the_guest(vmi: dict[str, Any]) -> None:
    vmi["spec"]["volumes"][2] = {"name": "data", "emptyDisk": {"capacity": "1Gi"}}
    [disk] = specification.read(vmi, FOUND).disks
    assert (disk.file, disk.scratch_bytes) == (Path("/scratch/data.raw"), 1 << 30)


def test_cloud_init_data_may_be_inline_or_under_either_key_of_a_secret(vmi: dict[str, Any]) -> None:
    encoded = base64.b64encode(b"network: x").decode()
    vmi["spec"]["volumes"][1]["cloudInitNoCloud"] = {"userData": "inline", "networkDataBase64": encoded}
    guest = specification.read(vmi, FOUND)
    assert (guest.user_data, guest.network_data) == (b"inline", b"network: x")
    vmi["spec"]["volumes"][1]["cloudInitNoCloud"] = {"secretRef": {"name": "camel"}}
    assert specification.read(vmi, FOUND).user_data == b"x"


def test_guest_memory_takes_precedence_over_the_pods_request(vmi: dict[str, Any]) -> None:
    vmi["spec"]["domain"]["resources"] = {"requests": {"memory": "2Gi", "cpu": "1500m"}}
    assert specification.read(vmi, FOUND).memory == 1 << 30
    del vmi["spec"]["domain"]["memory"], vmi["spec"]["domain"]["cpu"]
    guest = specification.read(vmi, FOUND)
    assert (guest.memory, guest.cpus) == (2 << 30, 2)


@pytest.mark.parametrize(
    ("position", "volume", "reason", "words"),
    [
        (1, {"name": "i", "cloudInitNoCloud": {"secretRef": {"name": "other"}}}, "FailedMount", "Secret other"),
        (2, {"name": "data", "persistentVolumeClaim": {"claimName": "other"}}, "FailedMount", "VolumeClaim other"),
        (2, {"name": "data", "configMap": {"name": "x"}}, "UnsupportedVolume", "configMap"),
        (0, {"name": "root", "dataVolume": {"name": "data"}}, "UnsupportedRootDisk", "containerDisk"),
    ],
)
def test_a_volume_that_blocks_the_start_is_named(
    vmi: dict[str, Any], position: int, volume: dict[str, Any], reason: str, words: str
) -> None:
    vmi["spec"]["volumes"][position] = volume
    with pytest.raises(BlockedError, match=words) as caught:
        specification.read(vmi, FOUND)
    assert caught.value.reason == reason


def test_the_token_of_a_service_account_is_no_disk_of_the_guest(vmi: dict[str, Any]) -> None:
    before = specification.read(vmi, FOUND).disks
    vmi["spec"]["volumes"].append({"name": "identity", "serviceAccount": {"serviceAccountName": "web"}})
    vmi["spec"]["domain"]["devices"]["disks"].append({"name": "identity", "disk": {"bus": "virtio"}})

    assert specification.read(vmi, FOUND).disks == before


def test_a_machine_without_memory_is_blocked(vmi: dict[str, Any]) -> None:
    del vmi["spec"]["domain"]["memory"]
    with pytest.raises(BlockedError, match="requests no memory"):
        specification.read(vmi, FOUND)


def test_a_deletion_shortens_the_grace_period_but_never_extends_it(vmi: dict[str, Any]) -> None:
    assert specification.grace_seconds(vmi) == 30
    vmi["spec"]["terminationGracePeriodSeconds"] = 60
    for deletion, expected in ((5, 5), (90, 60)):
        vmi["metadata"]["deletionGracePeriodSeconds"] = deletion
        assert specification.grace_seconds(vmi) == expected
