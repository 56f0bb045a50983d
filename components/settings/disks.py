"""Settings of disks: the source of a root disk, and what is requested from the storage."""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated, ClassVar, Literal

from pydantic import Field
from pydantic.alias_generators import to_camel

from components.settings.model import Contradiction, Model
from components.settings.values import (
    HOST,
    REACHABLE,
    NamespaceName,
    ObjectName,
    Quantity,
    allowing,
    lasting,
    pattern,
    seconds_of,
)

ImageReference = Annotated[
    str,
    pattern(
        r"([a-zA-Z0-9][a-zA-Z0-9.-]*(:[0-9]+)?/)?"  # registry
        r"[a-z0-9]+((\.|__?|-+|/)[a-z0-9]+)*"  # repository
        r"(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(@sha256:[0-9a-f]{64})?"
    ),
    allowing('a container image such as "quay.io/containerdisks/debian:12"'),
]
# The query may hold a download token. A user name is refused because CDI would ignore it.
ImageUrl = Annotated[
    str,
    pattern(rf"https?://{HOST}/[A-Za-z0-9._~/%?&=+,:@-]*[A-Za-z0-9._~%=-]"),
    REACHABLE,
    allowing('the URL of a disk image such as "https://images.example/debian-12.qcow2"'),
]


class AccessMode(StrEnum):
    """How many nodes can use a disk at the same time."""

    READ_WRITE_ONCE = "ReadWriteOnce"
    READ_WRITE_ONCE_POD = "ReadWriteOncePod"
    READ_WRITE_MANY = "ReadWriteMany"


class DataSource(Model):
    """A CDI DataSource: a golden image that the cluster maintains."""

    name: ObjectName = Field(description="Name of the DataSource.")
    namespace: NamespaceName = Field(description="Namespace of the DataSource.")


class ClaimReference(Model):
    """A PersistentVolumeClaim that holds a disk image."""

    name: ObjectName = Field(description="Name of the PersistentVolumeClaim.")
    namespace: NamespaceName = Field(description="Namespace of the PersistentVolumeClaim.")


class Volume(Model):
    """A disk, as requested from the storage."""

    size: Quantity = Field(description="Size of the disk.")
    storage_class: ObjectName | None = Field(
        default=None, description="StorageClass of the disk. Defaults to the cluster's default StorageClass."
    )
    access_mode: AccessMode | None = Field(
        default=None,
        description="Access mode of the disk. Defaults to the one in CDI's StorageProfile of the StorageClass.",
    )
    volume_mode: Literal["Filesystem", "Block"] | None = Field(
        default=None,
        description="Volume mode of the disk. Defaults to the one in CDI's StorageProfile of the StorageClass.",
    )


class Image(Volume):
    """The source of a root disk. Each machine has a root disk of its own."""

    container_disk: ImageReference | None = Field(
        default=None,
        description="Container image with the root disk. Changes to the disk are lost with the machine.",
    )
    data_source: DataSource | None = Field(default=None, description="Golden image to clone the root disk from.")
    persistent_volume_claim: ClaimReference | None = Field(
        default=None, description="Claim to clone the root disk from. The claim itself is not changed."
    )
    url: ImageUrl | None = Field(default=None, description="Disk image for CDI to download to the root disk.")
    registry: ImageReference | None = Field(
        default=None,
        description="Container image for CDI to import to the root disk. Changes to the disk persist.",
    )
    size: Quantity = Field(default="30Gi", description="Size of the root disk; at least the size of the image.")

    @property
    def source_names(self) -> dict[str, str]:
        """The name of the image, by the key that can hold it."""
        return {
            "containerDisk": (self.container_disk or "").rpartition("/")[2],
            "dataSource.name": self.data_source.name if self.data_source else "",
            "persistentVolumeClaim.name": self.persistent_volume_claim.name if self.persistent_volume_claim else "",
            "url": (self.url or "").partition("?")[0].rpartition("/")[2],
            "registry": (self.registry or "").rpartition("/")[2],
        }

    def contradictions(self) -> Iterator[Contradiction]:
        """Yield a source that is missing, given twice, or in conflict with the settings of the disk."""
        sources = [name for name in Image.model_fields if name not in Volume.model_fields]
        given = [to_camel(name) for name in sources if getattr(self, name)]
        if not given:
            *others, last = map(to_camel, sources)
            yield Contradiction("", f"needs one of {', '.join(others)} or {last}")
        elif len(given) > 1:
            yield Contradiction("", f"has {' and '.join(given)}: keep one")
        elif self.registry and re.search(r":[^/]*@", self.registry):
            yield Contradiction("registry", "has a tag and a digest, of which CDI takes only one: remove the tag")
        elif self.container_disk:
            for name in sorted(set(Volume.model_fields) & self.model_fields_set):
                yield Contradiction(to_camel(name), "has no effect on a containerDisk: remove it")


class DataDisk(Volume):
    """The data disk, which outlives the database machine."""

    size: Quantity = Field(default="10Gi", description="Size of the disk. An existing disk keeps its size.")
    keep: bool = Field(
        default=False,
        description="Whether `pulumi destroy` leaves the disk in place; requires createNamespace: false.",
    )


class Fio(Model):
    """A measurement of the data disk."""

    jobs: ClassVar[int] = 3

    enabled: bool = Field(
        default=False, description="Whether to measure the data disk with fio before PostgreSQL first starts."
    )
    runtime: Annotated[
        str, lasting(1, 600), allowing('a duration from 1 second to 10 minutes, such as "10s" or "5m"')
    ] = Field(default="10s", description="Length of each of the three fio jobs. A change repeats the measurement.")

    @property
    def seconds(self) -> int:
        """Length of each job; 0 if nothing is measured."""
        return seconds_of(self.runtime) if self.enabled else 0

    def contradictions(self) -> Iterator[Contradiction]:
        """Yield a length for a measurement that is off."""
        if "runtime" in self.model_fields_set and not self.enabled:
            yield Contradiction("runtime", "has no effect while enabled is false: set it to true, or remove runtime")
