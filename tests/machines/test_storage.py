"""Disks that CDI's own controller and workers fill, from every source that a stack can name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from components import disks
from components.settings.disks import Image
from components.settings.machines import Architecture
from kube import client
from kube.resources import DATA_VOLUMES, PERSISTENT_VOLUME_CLAIMS
from lab.config import Lab
from lab.node import volumes
from tests.lab.stack import wait_until
from tests.machines.image_server import DISK, DISK_FILE, DISK_IMAGE

SIZE = 64 << 20
IMAGES = "images"


@pytest.fixture(scope="module")
def golden(lab: Lab, server: str) -> str:
    """The name, in the namespace of golden images, of a claim with the disk and of a DataSource for it."""
    cluster, name = client.connect(lab.kubeconfig), "golden"
    cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": IMAGES}})
    fill(lab, name, disks.source(Image(url=f"http://{server}/{DISK_FILE}"), Architecture.AMD64), IMAGES)
    claim = {"namespace": IMAGES, "name": name}
    cluster.apply(
        {
            "apiVersion": "cdi.kubevirt.io/v1beta1",
            "kind": "DataSource",
            "metadata": claim,
            "spec": {"source": {"pvc": claim}},
        }
    )
    return name


def fill(lab: Lab, name: str, source: Any, namespace: str = "default") -> Path:
    """Create a DataVolume and return the disk that CDI has made for it."""
    cluster = client.connect(lab.kubeconfig)
    storage = {"storage": {"resources": {"requests": {"storage": str(SIZE)}}}}
    cluster.create(
        DATA_VOLUMES,
        {
            "apiVersion": DATA_VOLUMES.api_version,
            "kind": "DataVolume",
            "metadata": {"name": name, "namespace": namespace},
            "spec": {**source, **storage},
        },
    )

    def succeeded() -> bool:
        status = cluster.get(DATA_VOLUMES, name, namespace).get("status", {})
        return bool(status.get("phase") == "Succeeded")

    wait_until(f"{name} is filled", succeeded, 180)
    return volumes.file_of(lab, cluster.get(PERSISTENT_VOLUME_CLAIMS, name, namespace))


def test_a_blank_disk_has_its_size_and_nothing_on_it(lab: Lab) -> None:
    assert fill(lab, "blank", {"source": {"blank": {}}}).read_bytes() == bytes(SIZE)


@pytest.mark.parametrize("kind", ["url", "registry", "dataSource", "persistentVolumeClaim"])
def test_a_root_disk_has_the_content_of_its_source(lab: Lab, server: str, golden: str, kind: str) -> None:
    image = {
        "url": f"http://{server}/{DISK_FILE}",
        "registry": f"{server}/{DISK_IMAGE}",
        "dataSource": {"namespace": IMAGES, "name": golden},
        "persistentVolumeClaim": {"namespace": IMAGES, "name": golden},
    }[kind]

    disk = fill(lab, kind.lower(), disks.source(Image.model_validate({kind: image}), Architecture.AMD64))

    content = disk.read_bytes()
    assert content[: len(DISK)] == DISK
    assert content[len(DISK) :] == bytes(SIZE - len(DISK))
