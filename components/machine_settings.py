"""The settings of the machines of each tier."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from pydantic import Field
from pydantic.alias_generators import to_camel

from cloudinit import Family
from components.exposure_settings import Exposure, WebService
from components.model import Contradiction, Model
from components.names import TierName
from components.values import (
    FamilyName,
    ImageReference,
    NamespaceName,
    ObjectName,
    Quantity,
    Replicas,
    Scale,
    VirtualCpus,
    bytes_of,
)

DEFAULT_CONTAINER_DISKS = {
    Family.DEBIAN: "quay.io/containerdisks/debian:12",
    Family.FEDORA: "quay.io/containerdisks/fedora:42",
}
# Below these the distribution's kernel, systemd and cloud-init run out of memory before a tier starts.
LEAST_MEMORY = {Family.DEBIAN: "256Mi", Family.FEDORA: "1Gi"}
DISTRIBUTIONS = {
    Family.DEBIAN: ("debian", "ubuntu"),
    Family.FEDORA: ("fedora", "centos", "rhel", "almalinux", "rocky"),
}


class DataSource(Model):
    """A CDI DataSource: a golden image that the cluster keeps."""

    name: ObjectName = Field(description="Name of the DataSource.")
    namespace: NamespaceName = Field(description="Namespace of the DataSource.")


class Image(Model):
    """Where a root disk comes from."""

    container_disk: ImageReference | None = Field(
        default=None,
        description="Container image that holds the root disk; what a guest writes to it goes with the machine.",
    )
    data_source: DataSource | None = Field(default=None, description="Golden image that the root disk is cloned from.")
    size: Quantity = Field(default="30Gi", description="Size of the clone, at least the golden image's own.")
    storage_class: ObjectName | None = Field(
        default=None, description="StorageClass of the clone; none: the cluster's default."
    )

    def contradictions(self, key: str) -> Iterator[Contradiction]:
        """Yield what doesn't go together in this image."""
        sources = (f"{key}.containerDisk", f"{key}.dataSource")
        if self.container_disk and self.data_source:
            yield Contradiction((key, *sources), "has both containerDisk and dataSource: keep one")
        elif not self.container_disk and not self.data_source:
            yield Contradiction((key, *sources), "needs containerDisk or dataSource")
        elif self.container_disk:
            for field in sorted({"size", "storage_class"} & self.model_fields_set):
                problem = "is for a clone of a dataSource: a containerDisk brings its own disk, so remove it"
                yield Contradiction((f"{key}.{to_camel(field)}", *sources), problem)


class Machine(Model):
    """The machines of a tier."""

    tier: ClassVar[TierName]

    family: FamilyName = Field(
        default=Family.DEBIAN, description="Family of the guest's distribution: debian or fedora."
    )
    vcpus: VirtualCpus = Field(default=1, description="Virtual CPUs of a machine.")
    memory: Quantity = Field(default="1Gi", description="Memory of a machine.")
    image: Image | None = Field(
        default=None, description="Root disk; none: the family's image from quay.io/containerdisks."
    )
    instancetype: ObjectName | None = Field(
        default=None,
        description="VirtualMachineClusterInstancetype that sets CPUs and memory in place of vcpus and memory.",
    )
    preference: ObjectName | None = Field(default=None, description="VirtualMachineClusterPreference of the guest.")

    @property
    def root(self) -> Image:
        """The image of the root disk, chosen or the family's own."""
        return self.image or Image(container_disk=DEFAULT_CONTAINER_DISKS[self.family])

    @property
    def least_memory(self) -> int:
        """Bytes below which a machine of this tier doesn't start."""
        return bytes_of(LEAST_MEMORY[self.family])

    def contradictions(self) -> Iterator[Contradiction]:
        """Yield what doesn't go together in this tier."""
        if self.instancetype:
            for field in ("vcpus", "memory"):
                if field in self.model_fields_set:
                    problem = f"and instancetype {self.instancetype} both size the machine: remove one of them"
                    yield Contradiction((f"{self.tier}.{field}", f"{self.tier}.instancetype"), problem)
        elif bytes_of(self.memory) < self.least_memory:
            problem = f"is less than the {LEAST_MEMORY[self.family]} that a {self.family} guest needs to boot"
            yield Contradiction((f"{self.tier}.memory", f"{self.tier}.family"), problem)
        if self.image:
            yield from self.image.contradictions(f"{self.tier}.image")
        yield from self._strangers()

    def _strangers(self) -> Iterator[Contradiction]:
        """Yield names that tell of another family than the tier's: such a guest would boot and never be set up."""
        image = self.image or Image()
        named = {
            "image.containerDisk": (image.container_disk or "").rpartition("/")[2],
            "image.dataSource.name": image.data_source.name if image.data_source else "",
            "preference": self.preference or "",
        }
        for field, name in named.items():
            for family, distributions in DISTRIBUTIONS.items():
                if family != self.family and name.startswith(distributions):
                    problem = f"is of the {family} family, but {self.tier}.family is {self.family}"
                    yield Contradiction((f"{self.tier}.{field}", f"{self.tier}.family"), problem)


class DataDisk(Model):
    """The disk that outlives the database's machine."""

    size: Quantity = Field(
        default="10Gi", description="Size of the disk; an existing disk keeps the size it was made with."
    )
    storage_class: ObjectName | None = Field(default=None, description="Its StorageClass; none: the cluster's default.")


class Database(Machine):
    """The database tier: always one machine."""

    tier = TierName.DATABASE

    vcpus: VirtualCpus = Field(default=2, description="Virtual CPUs of the machine.")
    memory: Quantity = Field(default="2Gi", description="Memory of the machine.")
    scale: Scale = Field(default=10, description="pgbench scale: 100,000 accounts and about 15 MB each.")
    data_disk: DataDisk = Field(default=DataDisk(), description="Disk of the database, which outlives its machine.")

    @property
    def accounts(self) -> int:
        """How many accounts there are to ask for."""
        return 100_000 * self.scale

    def contradictions(self) -> Iterator[Contradiction]:
        """Yield what doesn't go together in this tier."""
        yield from super().contradictions()
        # 1 GiB beside the tables: PostgreSQL's log, its catalogues, and room for the file system.
        needed = -(-self.scale * 15 * 1000**2 // 1024**3) + 1
        if bytes_of(self.data_disk.size) < needed * 1024**3:
            problem = f"is too small for database.scale {self.scale}: 15 MB each and 1Gi besides need {needed}Gi"
            yield Contradiction(("database.dataDisk.size", "database.scale"), problem)


class Application(Machine):
    """The application tier."""

    tier = TierName.APPLICATION

    replicas: Replicas = Field(default=1, description="Number of machines.")


class Web(Machine):
    """The web tier."""

    tier = TierName.WEB

    replicas: Replicas = Field(
        default=1, description="Number of machines; the first one carries the load generator, unless load.dedicated."
    )
    service: WebService = Field(default=WebService(), description="The Service of the web tier.")
    expose: Exposure | None = Field(default=None, description="What leads requests from outside to it; none: nothing.")

    def contradictions(self) -> Iterator[Contradiction]:
        """Yield what doesn't go together in this tier."""
        yield from super().contradictions()
        yield from self.service.contradictions()
        yield from self.expose.contradictions() if self.expose else ()
