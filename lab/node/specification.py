"""What a VirtualMachineInstance specifies, as a guest of this machine needs it."""

from __future__ import annotations

import base64
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from kubernetes.utils.quantity import parse_quantity

from kube.resources import Object
from lab.errors import LabError

DEFAULT_GRACE_SECONDS = 30


class BlockedError(LabError):
    """A guest can't start, at least for now.

    Attributes:
        reason: Reason for the Pod's status and the Event, such as "ErrImagePull".
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Disk:
    """A disk besides the root.

    Attributes:
        file: Raw file on this machine.
        names: Names below the guest's /dev.
        scratch_bytes: Size, if the disk is created with the guest.
    """

    file: Path
    names: tuple[str, ...]
    scratch_bytes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GuestSpecification:
    """One guest; `memory` is in bytes, `user_data` and `network_data` are for cloud-init."""

    namespace: str
    name: str
    uid: str
    hostname: str
    instance_id: str
    image: str
    memory: int
    cpus: int
    user_data: bytes | None
    network_data: bytes | None
    disks: tuple[Disk, ...]


@dataclass(frozen=True, slots=True)
class Lookup:
    """How references to other objects of the VMI's namespace are resolved.

    Attributes:
        secret: Returns the decoded data of a Secret, or None if it doesn't exist.
        claim: Returns the raw file behind a bound PersistentVolumeClaim, or None.
        scratch: Directory for the disks that exist only as long as the guest.
    """

    secret: Callable[[str], Mapping[str, bytes] | None]
    claim: Callable[[str], Path | None]
    scratch: Path


def read(vmi: Object, lookup: Lookup) -> GuestSpecification:
    """Return what a VMI specifies.

    Raises:
        BlockedError: It refers to something that is missing, or to something that the lab doesn't support.
    """
    metadata, spec = vmi["metadata"], vmi["spec"]
    domain = spec["domain"]
    volumes = {volume["name"]: volume for volume in spec.get("volumes", ())}
    images = [volume["containerDisk"]["image"] for volume in volumes.values() if "containerDisk" in volume]
    if len(images) != 1:
        raise BlockedError(
            "UnsupportedRootDisk", f"The lab boots from exactly one containerDisk volume; the VMI has {len(images)}."
        )
    user_data, network_data = _cloud_init(volumes, lookup)
    return GuestSpecification(
        namespace=metadata["namespace"],
        name=metadata["name"],
        uid=metadata["uid"],
        hostname=spec.get("hostname") or metadata["name"],
        instance_id=domain.get("firmware", {}).get("uuid") or metadata["uid"],
        image=images[0],
        memory=memory(domain),
        cpus=_cpus(domain),
        user_data=user_data,
        network_data=network_data,
        disks=_disks(domain, volumes, lookup),
    )


def memory(domain: Object) -> int:
    """Return the bytes of memory that a VMI's domain requests.

    Raises:
        BlockedError: It requests none.
    """
    resources = domain.get("resources", {})
    for amount in (
        domain.get("memory", {}).get("guest"),
        resources.get("requests", {}).get("memory"),
        resources.get("limits", {}).get("memory"),
    ):
        if amount:
            return _ceil(amount)
    raise BlockedError("NoMemory", "The machine requests no memory. Set domain.memory.guest or an instancetype.")


def grace_seconds(vmi: Object) -> int:
    """Return how long a guest may take to shut down; a deletion can shorten the declared time."""
    declared = vmi["spec"].get("terminationGracePeriodSeconds", DEFAULT_GRACE_SECONDS)
    return int(min(declared, vmi["metadata"].get("deletionGracePeriodSeconds") or declared))


def _ceil(quantity: str | float) -> int:
    """Return a Kubernetes quantity, such as 512Mi or 1500m, rounded up."""
    rounded: int = math.ceil(parse_quantity(quantity))
    return rounded


def _cpus(domain: Object) -> int:
    cpu, resources = domain.get("cpu", {}), domain.get("resources", {})
    counts = [int(cpu[key]) for key in ("sockets", "cores", "threads") if cpu.get(key)]
    if counts:
        return math.prod(counts)
    amount = resources.get("limits", {}).get("cpu") or resources.get("requests", {}).get("cpu") or 1
    return max(_ceil(amount), 1)


def _disks(domain: Object, volumes: Mapping[str, Object], lookup: Lookup) -> tuple[Disk, ...]:
    found = []
    for position, disk in enumerate(domain.get("devices", {}).get("disks", ())):
        volume = volumes[disk["name"]]
        # KubeVirt names disks by their position on the virtio bus, and by their serial.
        names = [f"vd{chr(ord('a') + position)}"]
        if disk.get("serial"):
            names.append(f"disk/by-id/virtio-{disk['serial'][:20]}")
        if claim := (volume.get("dataVolume") or {}).get("name") or _claim_name(volume):
            file = lookup.claim(claim)
            if file is None:
                raise BlockedError(
                    "FailedMount", f"PersistentVolumeClaim {claim} of volume {volume['name']} is not bound."
                )
            found.append(Disk(file, tuple(names)))
        elif "emptyDisk" in volume:
            size = _ceil(volume["emptyDisk"]["capacity"])
            found.append(Disk(lookup.scratch / f"{volume['name']}.raw", tuple(names), size))
        # Of a serviceAccount, only the Pod's identity counts here: the guest doesn't get the disk with the token.
        elif not {"containerDisk", "cloudInitNoCloud", "serviceAccount"} & set(volume):
            kind = next((key for key in volume if key != "name"), "nothing")
            raise BlockedError("UnsupportedVolume", f"Volume {volume['name']}: the lab doesn't support {kind} volumes.")
    return tuple(found)


def _claim_name(volume: Object) -> str | None:
    return (volume.get("persistentVolumeClaim") or {}).get("claimName")


def _cloud_init(volumes: Mapping[str, Object], lookup: Lookup) -> tuple[bytes | None, bytes | None]:
    source = next((volume["cloudInitNoCloud"] for volume in volumes.values() if "cloudInitNoCloud" in volume), None)
    if source is None:
        return None, None
    return (
        _data(source, "secretRef", ("userdata", "userData"), "userData", lookup),
        _data(source, "networkDataSecretRef", ("networkdata", "networkData"), "networkData", lookup),
    )


def _data(source: Object, reference: str, keys: tuple[str, ...], inline: str, lookup: Lookup) -> bytes | None:
    """Return user data or network data; KubeVirt also looks for network data in the Secret of the user data."""
    if source.get(inline):
        return str(source[inline]).encode()
    if source.get(f"{inline}Base64"):
        return base64.b64decode(source[f"{inline}Base64"])
    for name in (source.get(reference), source.get("secretRef")):
        if not name:
            continue
        secret = lookup.secret(name["name"])
        if secret is None:
            raise BlockedError("FailedMount", f"Secret {name['name']} with cloud-init data doesn't exist.")
        for key in keys:
            if key in secret:
                return secret[key]
    return None
