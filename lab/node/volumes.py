"""Volumes, as CDI and a storage driver make them: DataVolume -> PersistentVolumeClaim -> a raw file of this machine."""

from __future__ import annotations

from pathlib import Path

from kube.client import Api
from kube.errors import StatusError
from kube.resources import DATA_VOLUMES, PERSISTENT_VOLUMES, Object
from lab.config import Lab
from lab.node import disks, quantity

STORAGE_CLASS = "lab"
DRIVER = "lab.multi-tier"
_ACCESS_MODES = ["ReadWriteOnce"]


def storage_class() -> Object:
    """Return the lab's StorageClass, the default one."""
    return {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {"name": STORAGE_CLASS, "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}},
        "provisioner": DRIVER,
        "reclaimPolicy": "Delete",
        "volumeBindingMode": "Immediate",
    }


def refusal(data_volume: Object) -> str | None:
    """Return why the lab can't make a DataVolume, or None when it can."""
    spec = data_volume["spec"]
    if spec.get("sourceRef"):
        kind = spec["sourceRef"].get("kind", "DataSource")
        return (
            f"The lab has no {kind}s to clone from: it makes blank DataVolumes only. Use a containerDisk as the root."
        )
    source = next(iter(spec.get("source") or {}), None)
    if source != "blank":
        return f"The lab makes blank DataVolumes only, not from {source or 'no source'}."
    try:
        size = quantity.to_bytes(_request(spec)["resources"]["requests"]["storage"])
    except (KeyError, ValueError) as error:
        return f"The DataVolume says no size that the lab understands ({error})."
    return None if size > 0 else "The DataVolume's size is not above 0."


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


def volume_for(claim: Object) -> Object:
    """Return the PersistentVolume of a claim: kept when released, for the agent removes it with its file."""
    metadata, spec = claim["metadata"], claim["spec"]
    name = f"pvc-{metadata['uid']}"
    reference = {key: metadata[key] for key in ("namespace", "name", "uid")}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": name, "annotations": {"pv.kubernetes.io/provisioned-by": DRIVER}},
        "spec": {
            "capacity": {"storage": spec["resources"]["requests"]["storage"]},
            "accessModes": spec["accessModes"],
            "volumeMode": spec.get("volumeMode") or "Filesystem",
            "storageClassName": STORAGE_CLASS,
            "persistentVolumeReclaimPolicy": "Retain",
            "csi": {"driver": DRIVER, "volumeHandle": name},
            "claimRef": {"apiVersion": "v1", "kind": "PersistentVolumeClaim", **reference},
        },
    }


def file_of(lab: Lab, claim: Object) -> Path:
    """Return the raw file behind a claim."""
    return lab.disks / f"pvc-{claim['metadata']['uid']}.raw"


def is_bound(claim: Object) -> bool:
    """Whether a claim has its volume."""
    return bool(claim.get("status", {}).get("phase") == "Bound")


def provision(lab: Lab, api: Api, claim: Object) -> None:
    """Make the file and the volume of a claim; kube-controller-manager binds the two."""
    disks.create(file_of(lab, claim), quantity.to_bytes(claim["spec"]["resources"]["requests"]["storage"]))
    try:
        api.create(PERSISTENT_VOLUMES, volume_for(claim))
    except StatusError as error:
        if error.reason != "AlreadyExists":
            raise


def remove_orphans(lab: Lab, api: Api, claims: list[Object]) -> list[str]:
    """Remove the lab's volumes whose claims are gone, with their files; return the removed volumes' names."""
    present = {claim["metadata"]["uid"] for claim in claims}
    removed = []
    for volume in api.list(PERSISTENT_VOLUMES)[0]:
        name, spec = volume["metadata"]["name"], volume["spec"]
        if spec.get("csi", {}).get("driver") != DRIVER or spec["claimRef"]["uid"] in present:
            continue
        # The file first: while the volume stands, its file is found again after a crash.
        (lab.disks / f"{name}.raw").unlink(missing_ok=True)
        api.delete(PERSISTENT_VOLUMES, name)
        removed.append(name)
    return removed


def data_volume_status(data_volume: Object, claim: Object | None, why_not: str | None) -> Object:
    """Return the status of a DataVolume.

    Args:
        data_volume: what is asked for.
        claim: its claim as last seen.
        why_not: why the lab can't make it; None when it can.
    """
    name = data_volume["metadata"]["name"]
    if why_not is not None:
        return _status(
            "Failed", "N/A", None, bound=(False, "Unsupported", why_not), ready=(False, "Unsupported", why_not)
        )
    if claim is None or not is_bound(claim):
        message = f"PVC {name} Pending"
        return _status("Pending", "N/A", name, bound=(False, "Pending", message), ready=(False, "Pending", message))
    bound = (True, "Bound", f"PVC {name} Bound")
    return _status("Succeeded", "100.0%", name, bound=bound, ready=(True, "", ""))


def _status(
    phase: str, progress: str, claim: str | None, *, bound: tuple[bool, str, str], ready: tuple[bool, str, str]
) -> Object:
    running = (False, "Completed" if phase == "Succeeded" else "", "")
    conditions = [
        {"type": kind, "status": str(status), "reason": reason, "message": message}
        for kind, (status, reason, message) in (("Ready", ready), ("Bound", bound), ("Running", running))
    ]
    return {"phase": phase, "progress": progress, "claimName": claim or "", "conditions": conditions}
