from dataclasses import replace
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from lab.config import Lab
from lab.node import disks, volumes

SIZE = {"resources": {"requests": {"storage": "2Gi"}}, "accessModes": ["ReadWriteOnce"]}
METADATA = {"name": "data", "namespace": "shop", "uid": "dv-uid", "labels": {"tier": "database"}}
LAB = Lab(Path("/lab"), IPv4Network("10.96.0.0/16"))
CLAIM: dict[str, Any] = {"metadata": {"name": "data", "namespace": "shop", "uid": "claim-uid"}, "spec": SIZE}


def data_volume(**spec: Any) -> dict[str, Any]:
    return {"metadata": METADATA, "spec": {"source": {"blank": {}}, "storage": SIZE, **spec}}


def test_a_blank_data_volume_gets_a_claim_of_its_own() -> None:
    assert volumes.refusal(data_volume()) is None
    claim = volumes.claim_for(data_volume())
    assert claim["spec"]["resources"]["requests"]["storage"] == "2Gi"
    assert "storageClassName" not in claim["spec"], "the API server fills in the default class"
    [owner] = claim["metadata"]["ownerReferences"]
    assert (owner["uid"], owner["controller"]) == ("dv-uid", True)
    assert claim["metadata"]["labels"]["tier"] == "database", "one selector finds everything of a stack"


def test_the_older_form_of_the_size_is_accepted() -> None:
    older = data_volume(storage=None, pvc=SIZE)
    assert volumes.refusal(older) is None
    assert volumes.claim_for(older)["spec"]["accessModes"] == ["ReadWriteOnce"]


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"source": {"http": {"url": "x"}}}, "not the source http"),
        ({"source": {}}, "source none"),
        ({"source": None, "sourceRef": {"kind": "DataSource", "name": "fedora"}}, "DataSource"),
        ({"storage": {}}, "no valid size"),
        ({"storage": {"resources": {"requests": {"storage": "many"}}}}, "no valid size"),
        ({"storage": {"resources": {"requests": {"storage": "0"}}}}, "above 0"),
    ],
)
def test_an_unsupported_data_volume_fails_with_the_reason(spec: dict[str, Any], words: str) -> None:
    why = volumes.refusal(data_volume(**spec))
    assert why is not None
    assert words in why
    written = volumes.data_volume_status(data_volume(**spec), None, why)
    assert written["phase"] == "Failed"
    assert why in [condition["message"] for condition in written["conditions"]]


@pytest.mark.parametrize(("phase", "expected"), [("Bound", "Succeeded"), ("Pending", "Pending"), (None, "Pending")])
def test_a_data_volume_succeeds_once_its_claim_is_bound(phase: str | None, expected: str) -> None:
    claim = {**CLAIM, "status": {"phase": phase}} if phase else None
    assert volumes.data_volume_status(data_volume(), claim, None)["phase"] == expected


def test_a_volume_belongs_to_one_claim_and_is_retained_with_its_file() -> None:
    volume = volumes.volume_for(LAB, CLAIM)
    assert volume["spec"]["claimRef"]["uid"] == "claim-uid"
    assert volume["spec"]["persistentVolumeReclaimPolicy"] == "Retain", "the agent removes the volume with its file"
    assert volumes.file_of(LAB, CLAIM) == Path("/lab/disks") / volume["metadata"]["name"] / "disk.img"


def test_a_new_disk_is_sparse_and_private_and_an_existing_one_keeps_its_data(tmp_path: Path) -> None:
    file = tmp_path / "disks" / "a.raw"
    disks.create(file, 1 << 30)
    found = file.stat()
    assert (found.st_size, found.st_blocks, found.st_mode & 0o077) == (1 << 30, 0, 0)
    with file.open("r+b") as disk:
        disk.write(b"data")
    disks.create(file, 1 << 20)
    assert file.stat().st_size == 1 << 30
    with file.open("rb") as disk:
        assert disk.read(4) == b"data"


def test_only_volumes_that_the_lab_has_provisioned_are_removed_with_their_claims(tmp_path: Path) -> None:
    lab = replace(LAB, root=tmp_path)
    own = volumes.volume_for(lab, CLAIM)
    spec = {"storageClassName": volumes.STORAGE_CLASS, "claimRef": {"uid": "claim-uid"}, "hostPath": {"path": "/srv"}}
    theirs: list[dict[str, Any]] = [
        {"metadata": {"name": "of-the-labs-class"}, "spec": spec},
        {"metadata": {"name": "of-no-class"}, "spec": {"hostPath": {"path": "/srv"}}},
    ]
    (tmp_path / "disks" / own["metadata"]["name"]).mkdir(parents=True)
    (tmp_path / "disks" / "of-the-labs-class").mkdir()
    api = Mock()
    api.list.return_value = ([*theirs, own], "1")

    assert volumes.remove_orphans(lab, api, [CLAIM]) == []
    assert volumes.remove_orphans(lab, api, []) == [own["metadata"]["name"]]
    assert [path.name for path in (tmp_path / "disks").iterdir()] == ["of-the-labs-class"]
