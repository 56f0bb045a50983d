"""The container images of a real node, imported from archives because there is no registry."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from lab.command import run
from lab.config import Lab
from lab.machines import components
from lab.progress import Progress
from lab.toolchain import container_disks, node_image, node_system
from lab.toolchain.image import GOLDEN


def archives(lab: Lab, progress: Progress) -> dict[str, Path]:
    """Return the archive of each image by the image's reference, built unless they are in the cache."""
    return {
        node_system.PAUSE_IMAGE: node_system.pause_archive(),
        **dict.fromkeys(node_image.REFERENCES, node_image.ensure(lab, progress)),
        GOLDEN: container_disks.container_disk(GOLDEN, progress),
    }


def import_missing(lab: Lab, wanted: Mapping[str, Path], progress: Progress) -> None:
    """Import the images that the node's containerd doesn't have, given the archive of each reference.

    Raises:
        LabError: The node doesn't run, or an image can't be imported.
    """
    control = [*components.inside(lab), "ctr", "--namespace", "k8s.io", "images"]
    present = set(run(*control, "list", "--quiet").split())
    missing: dict[Path, str] = {}
    for reference, archive in wanted.items():
        if reference not in present:
            missing.setdefault(archive, reference)
    for archive, reference in missing.items():
        with progress.step(f"Importing {reference}"):
            run(*control, "import", archive, failure=f"{reference} can't be imported", timeout=None)
