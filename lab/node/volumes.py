"""Volumes as CDI and a storage driver create them: DataVolume -> PersistentVolumeClaim -> raw file on this machine.

On a real node, CDI itself does the first step and writes the file.
"""

from __future__ import annotations

import math
import os
from pathlib import Path

from kubernetes.utils.quantity import parse_quantity

from kube.client import Api
from kube.errors import StatusError
from kube.resources import DATA_VOLUMES, PERSISTENT_VOLUMES, Object
from lab import mounts
from lab.config import Lab
from lab.node import disks
from lab.toolchain.node_image import QEMU_USER

STORAGE_CLASS = "lab"
DRIVER = "lab.multi-tier"
_PROVISIONED_BY = "pv.kubernetes.io/provisioned-by"
_ACCESS_MODES = ["ReadWriteOnce"]


def storage_class() -> Object:
    """Return the lab's StorageClass, which is the default one."""
    return {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {"name": STORAGE_CLASS, "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}},
        "provisioner": DRIVER,
        "reclaimPolicy": "Delete",
        "volumeBindingMode": "Immediate",
    }


def refusal(data_volume: Object) -> str | None:
    """Return why the lab doesn't support a DataVolume, or None if it does."""
    spec = data_volume["spec"]
    if spec.get("sourceRef"):
        kind = spec["sourceRef"].get("kind", "DataSource")
        return f"The lab has no {kind}s to clone: it supports blank DataVolumes only. Use a containerDisk for the root."
    source = next(iter(spec.get("source") or {}), None)
    if source != "blank":
        return f"The lab supports blank DataVolumes only, not the source {source or 'none'}."
    try:
        size = parse_quantity(_request(spec)["resources"]["requests"]["storage"])
    except (KeyError, ValueError) as error:
        return f"The DataVolume has no valid size: {error}."
    return None if size > 0 else "The DataVolume's size must be above 0."


def _request(spec: Object) -> Object:
    request: Object = spec.get("storage") or spec.get("pvc") or {}
    return request


def claim_for(data_volume: Object) -> Object:
    """Return the PersistentVolumeClaim of a DataVolume, owned by it."""
    metadata, request = data_volume["metadata"], _request(data_volume["spec"])
    owner = {
        "apiVersion": DATA_VOLUMES.api_version,
        "kind": "DataVolume",
        "name": metadata["name"],
        "uid": metadata["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }
    spec = {
        "accessModes": request.get("accessModes") or _ACCESS_MODES,
        "resources": request["resources"],
        "volumeMode": request.get("volumeMode") or "Filesystem",
    }
    if request.get("storageClassName"):
        spec["storageClassName"] = request["storageClassName"]
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {
            "name": metadata["name"],
            "namespace": metadata["namespace"],
            "labels": {**metadata.get("labels", {}), "app": "containerized-data-importer"},
            "annotations": {"cdi.kubevirt.io/storage.contentType": "kubevirt"},
            "ownerReferences": [owner],
        },
        "spec": spec,
    }


def volume_for(lab: Lab, claim: Object) -> Object:
    """Return the PersistentVolume of a claim; it is retained on release, and the agent removes it with its file."""
    metadata, spec = claim["metadata"], claim["spec"]
    name = f"pvc-{metadata['uid']}"
    reference = {key: metadata[key] for key in ("namespace", "name", "uid")}
    # A kubelet mounts the directory with the image. The lab's node agent attaches the image itself.
    directory = {"hostPath": {"path": str(file_of(lab, claim).parent)}}
    source = directory if lab.machines else {"csi": {"driver": DRIVER, "volumeHandle": name}}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": name, "annotations": {_PROVISIONED_BY: DRIVER}},
        "spec": {
            "capacity": {"storage": spec["resources"]["requests"]["storage"]},
            "accessModes": spec["accessModes"],
            "volumeMode": spec.get("volumeMode") or "Filesystem",
            "storageClassName": STORAGE_CLASS,
            "persistentVolumeReclaimPolicy": "Retain",
            **source,
            "claimRef": {"apiVersion": "v1", "kind": "PersistentVolumeClaim", **reference},
        },
    }


def file_of(lab: Lab, claim: Object) -> Path:
    """Return the raw file behind a claim, by the name that KubeVirt gives it."""
    return lab.disks / f"pvc-{claim['metadata']['uid']}" / "disk.img"


def is_bound(claim: Object) -> bool:
    """Whether a claim is bound to its volume."""
    return bool(claim.get("status", {}).get("phase") == "Bound")


def is_pending(claim: Object) -> bool:
    """Whether a claim waits for a volume of the lab's."""
    return claim["spec"].get("storageClassName") == STORAGE_CLASS and not is_bound(claim)


def provision(lab: Lab, api: Api, claim: Object) -> None:
    """Create the volume of a claim, and the directory or file behind it; kube-controller-manager binds them."""
    file = file_of(lab, claim)
    if lab.machines:
        # CDI's workers and KubeVirt's launchers, which run as this user, create the file.
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.chown(file.parent, QEMU_USER, QEMU_USER)
    elif not lab.simulated:
        disks.create(file, math.ceil(parse_quantity(claim["spec"]["resources"]["requests"]["storage"])))
    try:
        api.create(PERSISTENT_VOLUMES, volume_for(lab, claim))
    except StatusError as error:
        if error.reason != "AlreadyExists":
            raise


def remove_orphans(lab: Lab, api: Api, claims: list[Object]) -> list[str]:
    """Remove the lab's volumes without a claim, and their files; return the names of the removed volumes."""
    present = {claim["metadata"]["uid"] for claim in claims}
    removed = []
    for volume in api.list(PERSISTENT_VOLUMES)[0]:
        metadata = volume["metadata"]
        name, provisioner = metadata["name"], metadata.get("annotations", {}).get(_PROVISIONED_BY)
        if provisioner != DRIVER or volume["spec"]["claimRef"]["uid"] in present:
            continue
        # The file first: as long as the volume exists, a crash can't orphan its file.
        mounts.remove_tree(lab.disks / name)
        api.delete(PERSISTENT_VOLUMES, name)
        removed.append(name)
    return removed


def data_volume_status(data_volume: Object, claim: Object | None, why_not: str | None) -> Object:
    """Return the status of a DataVolume.

    Args:
        data_volume: The DataVolume.
        claim: Its claim from the cache.
        why_not: Why the lab doesn't support it; None if it does.
    """
    name = data_volume["metadata"]["name"]
    if why_not is not None:
        phase, progress, name = "Failed", "N/A", ""
        bound = ready = (False, "Unsupported", why_not)
    elif claim is None or not is_bound(claim):
        phase, progress = "Pending", "N/A"
        bound = ready = (False, "Pending", f"PVC {name} Pending")
    else:
        phase, progress = "Succeeded", "100.0%"
        bound, ready = (True, "Bound", f"PVC {name} Bound"), (True, "", "")
    running = (False, "Completed" if phase == "Succeeded" else "", "")
    conditions = [
        {"type": kind, "status": str(status), "reason": reason, "message": message}
        for kind, (status, reason, message) in (("Ready", ready), ("Bound", bound), ("Running", running))
    ]
    return {"phase": phase, "progress": progress, "claimName": name, "conditions": conditions}
