"""What a VirtualMachineInstance asks for, in the terms of a guest on this machine."""

from __future__ import annotations

import base64
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from kube.resources import Object
from lab.errors import LabError
from lab.node import quantity

DEFAULT_GRACE_SECONDS = 30


class BlockedError(LabError):
    """A guest can't start (yet).

    Attributes:
        reason: one word for the Pod's status and the Event, such as "ErrImagePull".
    """

    def __init__(self, reason: str, message: str) -> None:
        """Keep what stands in the way."""
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Disk:
    """A disk beside the root: the raw file, its names below the guest's /dev, and its size if it is the guest's own."""

    file: Path
    names: tuple[str, ...]
    scratch_bytes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GuestSpecification:
    """One guest. `memory` is in bytes; `network_data` and `user_data` are cloud-init's, or None."""

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
    """How names in a specification are resolved; each returns None for what isn't there.

    Attributes:
        secret: the decoded data of a Secret of the VMI's namespace, by name.
        claim: the raw file behind a bound PersistentVolumeClaim of the VMI's namespace, by name.
        scratch: where to keep a disk that lives and dies with the guest, by volume name.
    """

    secret: Callable[[str], Mapping[str, bytes] | None]
    claim: Callable[[str], Path | None]
    scratch: Callable[[str], Path]


def read(vmi: Object, lookup: Lookup) -> GuestSpecification:
    """Return what a VMI asks for.

    Raises:
        BlockedError: something that it names is missing, or is beyond this lab.
    """
    metadata, spec = vmi["metadata"], vmi["spec"]
    domain = spec["domain"]
    volumes = {volume["name"]: volume for volume in spec.get("volumes", ())}
    images = [volume["containerDisk"]["image"] for volume in volumes.values() if "containerDisk" in volume]
    if len(images) != 1:
        raise BlockedError(
            "UnsupportedRootDisk", f"The lab boots from exactly one containerDisk volume; found {len(images)}."
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
    """Return the bytes of memory that a VMI's domain asks for.

    Raises:
        BlockedError: it asks for none.
    """
    resources = domain.get("resources", {})
    for amount in (
        domain.get("memory", {}).get("guest"),
        resources.get("requests", {}).get("memory"),
        resources.get("limits", {}).get("memory"),
    ):
        if amount:
            return quantity.to_bytes(amount)
    raise BlockedError("NoMemory", "The machine asks for no memory: set domain.memory.guest or an instancetype.")


def grace_seconds(vmi: Object) -> int:
    """Return how long a guest may take to shut down: less than declared only when its deletion says so."""
    declared = vmi["spec"].get("terminationGracePeriodSeconds", DEFAULT_GRACE_SECONDS)
    return int(min(declared, vmi["metadata"].get("deletionGracePeriodSeconds") or declared))


def _cpus(domain: Object) -> int:
    cpu, resources = domain.get("cpu", {}), domain.get("resources", {})
    counts = [int(cpu[key]) for key in ("sockets", "cores", "threads") if cpu.get(key)]
    if counts:
        return math.prod(counts)
    amount = resources.get("limits", {}).get("cpu") or resources.get("requests", {}).get("cpu") or 1
    return max(math.ceil(quantity.parse(amount)), 1)


def _disks(domain: Object, volumes: Mapping[str, Object], lookup: Lookup) -> tuple[Disk, ...]:
    found = []
    for position, disk in enumerate(domain.get("devices", {}).get("disks", ())):
        volume = volumes[disk["name"]]
        # As KubeVirt names them: by position on the virtio bus, and by serial where the disk has one.
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
            size = quantity.to_bytes(volume["emptyDisk"]["capacity"])
            found.append(Disk(lookup.scratch(volume["name"]), tuple(names), size))
        elif not {"containerDisk", "cloudInitNoCloud"} & set(volume):
            kind = next((key for key in volume if key != "name"), "nothing")
            raise BlockedError("UnsupportedVolume", f"Volume {volume['name']}: the lab can't give a guest a {kind}.")
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
    """Return user or network data; KubeVirt also takes network data from the Secret of the user data."""
    if source.get(inline):
        return str(source[inline]).encode()
    if source.get(f"{inline}Base64"):
        return base64.b64decode(source[f"{inline}Base64"])
    for name in (source.get(reference), source.get("secretRef")):
        if not name:
            continue
        secret = lookup.secret(name["name"])
        if secret is None:
            raise BlockedError("FailedMount", f"Secret {name['name']} with the cloud-init data is not there.")
        for key in keys:
            if key in secret:
                return secret[key]
    return None
