"""What a data disk holds, and which change of that is refused."""

from __future__ import annotations

from typing import Any

import pulumi
import pytest

from components import data_disk
from components.hooks import RefusedError
from components.settings import Settings
from kube import client
from kube.client import Api
from kube.resources import Object
from tests.unit.components.mocks import deploy
from tests.unit.components.settings.refused import accepted

SCALE = "multi-tier.kubevirt.io/pgbench-scale"
MAJOR = "multi-tier.kubevirt.io/postgresql-major"
DISK = "multi-tier-database-0-data"


def disk(**annotations: str) -> dict[str, str]:
    names = {"scale": SCALE, "major": MAJOR}
    return {names[key]: value for key, value in annotations.items()}


def image(name: str, **settings: Any) -> dict[str, Any]:
    family = "debian" if "debian" in name else "fedora"
    return {"database": {"family": family, "memory": "2Gi", "image": {"containerDisk": name}, **settings}}


def test_the_data_volume_says_what_is_on_the_disk() -> None:
    annotations = deploy().object("DataVolume", DISK).inputs["metadata"]["annotations"]
    assert (annotations[SCALE], annotations[MAJOR]) == ("10", "15")

    unknown = deploy({"database": {"image": {"url": "https://images.example/database.qcow2"}}})
    assert MAJOR not in unknown.object("DataVolume", DISK).inputs["metadata"]["annotations"]


def test_another_scale_is_refused_without_consent_to_lose_the_data() -> None:
    with pytest.raises(RefusedError) as refused:
        data_disk.check_contents(accepted({"database": {"scale": 20}}).database, disk(scale="10"))
    assert str(refused.value) == (
        "multi-tier:database.scale: 20 instead of 10 would delete all accounts and history. To accept that, set "
        "multi-tier:database.allowDataLoss to true; to keep them, keep 10"
    )
    consenting = accepted({"database": {"scale": 20, "allowDataLoss": True}})
    data_disk.check_contents(consenting.database, disk(scale="10"))


def test_another_postgresql_is_refused_even_with_consent() -> None:
    settings = accepted(image("quay.io/containerdisks/fedora:43", allowDataLoss=True))
    with pytest.raises(RefusedError) as refused:
        data_disk.check_contents(settings.database, disk(scale="10", major="16"))
    assert str(refused.value) == (
        "multi-tier:database.image: has PostgreSQL 18, which can't read the data disk of PostgreSQL 16: "
        "keep an image with PostgreSQL 16, or dump the data and restore it"
    )
    data_disk.check_contents(accepted(image("quay.io/containerdisks/fedora:42")).database, disk(major="16"))


def test_a_disk_of_an_older_program_says_nothing_and_is_left_to_the_guest() -> None:
    data_disk.check_contents(Settings().database, {"other": "1"})


def test_the_engine_asks_before_it_changes_anything() -> None:
    former = {**deploy().component("credentials").inputs}
    arguments = pulumi.ResourceHookArgs("urn", "", "credentials", "type", {}, former)

    with pytest.raises(RefusedError, match="20 instead of 10"):
        deploy({"database": {"scale": 20}}).hooks["ownership-update"](arguments)


@pytest.mark.parametrize(
    ("existing", "refused"), [(None, False), ({}, False), (disk(scale="20"), False), (disk(scale="30"), True)]
)
def test_an_adopted_disk_is_asked_for_what_it_holds(
    monkeypatch: pytest.MonkeyPatch, existing: dict[str, str] | None, refused: bool
) -> None:
    class Cluster(Api):
        def __init__(self) -> None:
            pass

        def find(self, *_: object) -> Object | None:
            return None if existing is None else {"metadata": {"annotations": existing}}

    monkeypatch.setattr(client, "connect", lambda *_, **__: Cluster())
    hook = deploy({"database": {"scale": 20}}).hooks["data-disk-create"]
    arguments = pulumi.ResourceHookArgs("urn", "", "disk", "type", {})
    if refused:
        with pytest.raises(RefusedError, match="20 instead of 30"):
            hook(arguments)
    else:
        assert hook(arguments) is None


def test_the_guest_gets_the_consent() -> None:
    consenting = deploy({"database": {"allowDataLoss": True}})

    assert "ALLOW_DATA_LOSS=1" in consenting.user_data("multi-tier-database-0")
    assert "ALLOW_DATA_LOSS=1" not in deploy().user_data("multi-tier-database-0")
