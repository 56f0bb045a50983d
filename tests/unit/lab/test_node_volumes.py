import copy
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

import pytest

from lab.config import Lab
from lab.node import disks, volumes

BLANK: dict[str, Any] = {
    "metadata": {"name": "data", "namespace": "shop", "uid": "dv-uid", "labels": {"tier": "database"}},
    "spec": {
        "source": {"blank": {}},
        "storage": {"resources": {"requests": {"storage": "2Gi"}}, "accessModes": ["ReadWriteOnce"]},
    },
}
CLAIM: dict[str, Any] = {
    "metadata": {"name": "data", "namespace": "shop", "uid": "claim-uid"},
    "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "2Gi"}}},
}


@pytest.fixture
def data_volume() -> dict[str, Any]:
    return copy.deepcopy(BLANK)


def test_a_blank_data_volume_gets_a_claim_of_its_own(data_volume: dict[str, Any]) -> None:
    assert volumes.refusal(data_volume) is None
    claim = volumes.claim_for(data_volume)
    assert claim["spec"]["resources"]["requests"]["storage"] == "2Gi"
    assert "storageClassName" not in claim["spec"], "the default class is the API server's to fill in"
    [owner] = claim["metadata"]["ownerReferences"]
    assert (owner["uid"], owner["controller"]) == ("dv-uid", True)
    assert claim["metadata"]["labels"]["tier"] == "database", "one selector finds all of a stack"


def test_the_older_way_to_say_a_size_is_understood_too(data_volume: dict[str, Any]) -> None:
    data_volume["spec"]["pvc"] = data_volume["spec"].pop("storage")
    assert volumes.refusal(data_volume) is None
    assert volumes.claim_for(data_volume)["spec"]["accessModes"] == ["ReadWriteOnce"]


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"source": {"http": {"url": "x"}}}, "not from http"),
        ({"source": {}}, "no source"),
        ({"source": None, "sourceRef": {"kind": "DataSource", "name": "fedora"}}, "DataSource"),
        ({"storage": {}}, "no size"),
        ({"storage": {"resources": {"requests": {"storage": "many"}}}}, "no size"),
        ({"storage": {"resources": {"requests": {"storage": "0"}}}}, "not above 0"),
    ],
)
def test_what_the_lab_cannot_make_fails_and_says_why(
    data_volume: dict[str, Any], spec: dict[str, Any], words: str
) -> None:
    data_volume["spec"].update(spec)
    why = volumes.refusal(data_volume)
    assert why is not None
    assert words in why
    written = volumes.data_volume_status(data_volume, None, why)
    assert written["phase"] == "Failed"
    assert why in [condition["message"] for condition in written["conditions"]]


@pytest.mark.parametrize(("phase", "expected"), [("Bound", "Succeeded"), ("Pending", "Pending"), (None, "Pending")])
def test_a_data_volume_succeeds_when_its_claim_is_bound(
    data_volume: dict[str, Any], phase: str | None, expected: str
) -> None:
    claim = {**CLAIM, "status": {"phase": phase}} if phase else None
    assert volumes.data_volume_status(data_volume, claim, None)["phase"] == expected


def test_a_volume_is_bound_to_one_claim_for_good_and_outlives_its_release() -> None:
    spec = volumes.volume_for(CLAIM)["spec"]
    assert spec["claimRef"]["uid"] == "claim-uid"
    assert spec["persistentVolumeReclaimPolicy"] == "Retain", "the agent removes the volume together with its file"


def test_a_claim_has_a_file_named_as_its_volume() -> None:
    lab = Lab(Path("/lab"), IPv4Network("10.96.0.0/16"))
    assert volumes.file_of(lab, CLAIM) == Path("/lab/disks") / f"{volumes.volume_for(CLAIM)['metadata']['name']}.raw"


def test_a_new_disk_is_sparse_and_private_and_an_old_one_keeps_its_data(tmp_path: Path) -> None:
    file = tmp_path / "disks" / "a.raw"
    disks.create(file, 1 << 30)
    assert file.stat().st_size == 1 << 30
    assert file.stat().st_blocks == 0
    assert file.stat().st_mode & 0o077 == 0
    with file.open("r+b") as disk:
        disk.write(b"data")
    disks.create(file, 1 << 20)
    assert file.stat().st_size == 1 << 30
    with file.open("rb") as disk:
        assert disk.read(4) == b"data"
