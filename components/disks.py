"""Disks as the Containerized Data Importer (CDI) takes them: what to copy to a disk, and what storage to request."""

from __future__ import annotations

from typing import Any

from components.settings.disks import Image, Volume
from components.settings.machines import Architecture


def storage(volume: Volume) -> dict[str, Any]:
    """Return a DataVolume's `storage`; CDI's StorageProfile decides what isn't set."""
    request: dict[str, Any] = {"resources": {"requests": {"storage": volume.size}}}
    if volume.storage_class:
        request["storageClassName"] = volume.storage_class
    if volume.access_mode:
        request["accessModes"] = [str(volume.access_mode)]
    if volume.volume_mode:
        request["volumeMode"] = volume.volume_mode
    return request


def source(image: Image, architecture: Architecture) -> dict[str, Any] | None:
    """Return the part of a DataVolume's spec that says what to copy; None for a containerDisk, which isn't copied."""
    if image.data_source:
        return {"sourceRef": {"kind": "DataSource", **image.data_source.model_dump()}}
    if image.persistent_volume_claim:
        return {"source": {"pvc": image.persistent_volume_claim.model_dump()}}
    if image.url:
        return {"source": {"http": {"url": image.url}}}
    if image.registry:
        # CDI would import the image for whichever node its importer runs on.
        platform = {"architecture": str(architecture)}
        return {"source": {"registry": {"url": f"docker://{image.registry}", "platform": platform}}}
    return None
