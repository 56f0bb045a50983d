"""The settings of disks: where a root disk comes from, and what the storage is asked for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar, Literal

from pydantic import Field
from pydantic.alias_generators import to_camel

from components.settings.model import Contradiction, Model
from components.settings.values import (
    AccessModeName,
    Flag,
    ImageReference,
    ImageUrl,
    NamespaceName,
    ObjectName,
    Quantity,
    ShortDuration,
    VolumeModeName,
    seconds_of,
)

Source = Literal["container_disk", "data_source", "persistent_volume_claim", "url", "registry"]
SOURCES: tuple[Source, ...] = ("container_disk", "data_source", "persistent_volume_claim", "url", "registry")
ONE_OF = "containerDisk, dataSource, persistentVolumeClaim, url or registry"


class DataSource(Model):
    """A CDI DataSource: a golden image that the cluster keeps."""

    name: ObjectName = Field(description="Name of the DataSource.")
    namespace: NamespaceName = Field(description="Namespace of the DataSource.")


class ClaimReference(Model):
    """A PersistentVolumeClaim that holds a disk image."""

    name: ObjectName = Field(description="Name of the PersistentVolumeClaim.")
    namespace: NamespaceName = Field(description="Namespace of the PersistentVolumeClaim.")


class Volume(Model):
    """What the storage is asked for."""

    size: Quantity
    storage_class: ObjectName | None = Field(default=None, description="Its StorageClass; none: the cluster's default.")
    access_mode: AccessModeName | None = Field(
        default=None, description="Its access mode; none: what CDI's StorageProfile says of the StorageClass."
    )
    volume_mode: VolumeModeName | None = Field(
        default=None, description="Its volume mode; none: what CDI's StorageProfile says of the StorageClass."
    )

    @property
    def storage(self) -> dict[str, Any]:
        """A DataVolume's `storage`: what isn't set is left to the StorageClass's profile."""
        request: dict[str, Any] = {"resources": {"requests": {"storage": self.size}}}
        if self.storage_class:
            request["storageClassName"] = self.storage_class
        if self.access_mode:
            request["accessModes"] = [str(self.access_mode)]
        if self.volume_mode:
            request["volumeMode"] = str(self.volume_mode)
        return request


class Image(Volume):
    """Where a root disk comes from: each machine has one of its own, made from exactly one source."""

    container_disk: ImageReference | None = Field(
        default=None,
        description="Container image that holds the root disk; what a guest writes to it goes with the machine.",
    )
    data_source: DataSource | None = Field(default=None, description="Golden image that the root disk is cloned from.")
    persistent_volume_claim: ClaimReference | None = Field(
        default=None, description="Claim that the root disk is cloned from; the claim itself is left as it is."
    )
    url: ImageUrl | None = Field(default=None, description="Disk image that CDI downloads to the root disk.")
    registry: ImageReference | None = Field(
        default=None,
        description="Container image that CDI imports to the root disk, which then stays as it is written.",
    )
    size: Quantity = Field(default="30Gi", description="Size of the root disk, at least the image's own.")

    @property
    def sources(self) -> list[Source]:
        """The sources that are given."""
        return [source for source in SOURCES if getattr(self, source)]

    @property
    def names(self) -> dict[str, str]:
        """What the image is called, by the key that says so."""
        return {
            "containerDisk": (self.container_disk or "").rpartition("/")[2],
            "dataSource.name": self.data_source.name if self.data_source else "",
            "persistentVolumeClaim.name": self.persistent_volume_claim.name if self.persistent_volume_claim else "",
            "url": (self.url or "").partition("?")[0].rpartition("/")[2],
            "registry": (self.registry or "").rpartition("/")[2],
        }

    @property
    def data_volume_source(self) -> dict[str, Any] | None:
        """The part of a DataVolume's spec that says what is copied to it; None for a containerDisk."""
        if self.data_source:
            return {"sourceRef": {"kind": "DataSource", **self.data_source.model_dump()}}
        if self.persistent_volume_claim:
            return {"source": {"pvc": self.persistent_volume_claim.model_dump()}}
        if self.url:
            return {"source": {"http": {"url": self.url}}}
        if self.registry:
            return {"source": {"registry": {"url": f"docker://{self.registry}"}}}
        return None

    def contradictions(self, key: str) -> Iterator[Contradiction]:
        """Yield what doesn't go together in this image."""
        keys = (key, *(f"{key}.{to_camel(source)}" for source in SOURCES))
        if not self.sources:
            yield Contradiction(keys, f"needs one of {ONE_OF}")
        elif len(self.sources) > 1:
            given = " and ".join(to_camel(source) for source in self.sources)
            yield Contradiction(keys, f"has {given}: keep one")
        elif self.container_disk:
            for field in sorted(set(Volume.model_fields) & self.model_fields_set):
                problem = "is for a disk of the machine's own: a containerDisk brings its own, so remove it"
                yield Contradiction((f"{key}.{to_camel(field)}", *keys), problem)


class DataDisk(Volume):
    """The disk that outlives the database's machine."""

    size: Quantity = Field(
        default="10Gi", description="Size of the disk; an existing disk keeps the size it was made with."
    )
    keep: Flag = Field(
        default=False, description="Whether the disk stays when the stack is destroyed; needs createNamespace: false."
    )


class Fio(Model):
    """A measurement of the database's disk."""

    jobs: ClassVar[int] = 3

    enabled: Flag = Field(
        default=False, description="Whether the data disk is measured by fio before PostgreSQL first starts."
    )
    runtime: ShortDuration = Field(
        default="10s", description="Length of each of its three jobs; another length measures again."
    )

    @property
    def seconds(self) -> int:
        """How long each job takes, 0 where nothing is measured."""
        return seconds_of(self.runtime) if self.enabled else 0
