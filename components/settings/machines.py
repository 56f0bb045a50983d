"""The settings of the machines of each tier."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

from pydantic import Field
from pydantic.alias_generators import to_camel

from cloudinit import Family
from components.names import TierName
from components.settings.disks import DataDisk, Fio, Image
from components.settings.exposure import Exposure, WebService
from components.settings.model import Contradiction, Model
from components.settings.placement import (
    CpuRequest,
    EvictionStrategy,
    EvictionStrategyName,
    NodeLabels,
    Tolerations,
    TopologySpread,
    TopologySpreadName,
)
from components.settings.values import (
    AccessMode,
    FamilyName,
    ObjectName,
    Quantity,
    Replicas,
    Scale,
    Size,
    SizeName,
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


@dataclass(frozen=True, slots=True)
class Dimensions:
    """CPUs and memory of a machine."""

    vcpus: int
    memory: str


class Machine(Model):
    """The machines of a tier."""

    tier: ClassVar[TierName]
    sizes: ClassVar[Mapping[Size, Dimensions]] = {
        Size.SMALL: Dimensions(1, "1Gi"),
        Size.MEDIUM: Dimensions(2, "2Gi"),
        Size.LARGE: Dimensions(4, "4Gi"),
    }

    family: FamilyName = Field(
        default=Family.DEBIAN, description="Family of the guest's distribution: debian or fedora."
    )
    size: SizeName | None = Field(
        default=None,
        description="Size of a machine in place of vcpus and memory: 1 and 1Gi, 2 and 2Gi, or 4 and 4Gi; "
        "of the database's 2 and 2Gi, 4 and 8Gi, or 8 and 16Gi.",
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
    cpu_request: CpuRequest | None = Field(
        default=None,
        description="CPUs that are set aside on the node; none: as the cluster overcommits them, a tenth by default.",
    )
    memory_request: Quantity | None = Field(
        default=None, description="Memory that is set aside on the node; none: all of the machine's."
    )
    node_selector: NodeLabels | None = Field(default=None, description="Labels that a machine's node has to have.")
    tolerations: Tolerations | None = Field(default=None, description="Taints of a node that a machine tolerates.")
    eviction_strategy: EvictionStrategyName | None = Field(
        default=None, description="What a drained node does with a machine; none: the cluster's default."
    )

    @property
    def dimensions(self) -> Dimensions:
        """CPUs and memory, where no instancetype sets them."""
        return self.sizes[self.size] if self.size else Dimensions(self.vcpus, self.memory)

    @property
    def requests(self) -> dict[str, str]:
        """What is set aside on the node, where that is not left to KubeVirt."""
        requests = {"cpu": self.cpu_request, "memory": self.memory_request}
        return {resource: amount for resource, amount in requests.items() if amount}

    @property
    def spread(self) -> TopologySpread:
        """How strictly the tier's machines are kept on different nodes."""
        return TopologySpread.OFF

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
        yield from self._sized_twice()
        if not self.instancetype and bytes_of(self.dimensions.memory) < self.least_memory:
            problem = f"is less than the {LEAST_MEMORY[self.family]} that a {self.family} guest needs to boot"
            yield Contradiction((f"{self.tier}.memory", f"{self.tier}.family"), problem)
        if self.memory_request and bytes_of(self.memory_request) > bytes_of(self.dimensions.memory):
            problem = f"is more than the machine's memory, {self.dimensions.memory}: it would never be used"
            yield Contradiction((f"{self.tier}.memoryRequest", f"{self.tier}.memory", f"{self.tier}.size"), problem)
        root_mode = self.image.access_mode if self.image else None
        yield from self._immovable("image.accessMode", root_mode)
        if self.image:
            yield from self.image.contradictions(f"{self.tier}.image")
        yield from self._strangers()

    def _sized_twice(self) -> Iterator[Contradiction]:
        """Yield the keys that say again what an instancetype or a size says."""
        sized = ("vcpus", "memory")
        rivals: list[tuple[str, str | None, tuple[str, ...]]] = [
            ("instancetype", self.instancetype, (*sized, "size", "cpu_request", "memory_request")),
            ("size", self.size, sized),
        ]
        for rival, value, fields in rivals:
            for field in fields if value else ():
                if field in self.model_fields_set and not (rival == "size" and self.instancetype):
                    problem = f"and {rival} {value} both size the machine: remove one of them"
                    yield Contradiction((f"{self.tier}.{to_camel(field)}", f"{self.tier}.{rival}"), problem)

    def _immovable(self, key: str, mode: AccessMode | None) -> Iterator[Contradiction]:
        """Yield a disk that keeps a machine where it has to be able to leave."""
        if self.eviction_strategy is EvictionStrategy.LIVE_MIGRATE and mode not in (None, AccessMode.READ_WRITE_MANY):
            problem = f"can't migrate with {key} {mode}, so no drain would end: use ReadWriteMany there, or another"
            yield Contradiction((f"{self.tier}.evictionStrategy", f"{self.tier}.{key}"), problem)

    def _strangers(self) -> Iterator[Contradiction]:
        """Yield names that tell of another family than the tier's: such a guest would boot and never be set up."""
        image = (self.image or Image()).names
        named = {**{f"image.{key}": name for key, name in image.items()}, "preference": self.preference or ""}
        for field, name in named.items():
            for family, distributions in DISTRIBUTIONS.items():
                if family != self.family and name.lower().startswith(distributions):
                    problem = f"is of the {family} family, but {self.tier}.family is {self.family}"
                    yield Contradiction((f"{self.tier}.{field}", f"{self.tier}.family"), problem)


class Database(Machine):
    """The database tier: always one machine."""

    tier = TierName.DATABASE
    sizes = {  # noqa: RUF012, the base class says that it is the class's
        Size.SMALL: Dimensions(2, "2Gi"),
        Size.MEDIUM: Dimensions(4, "8Gi"),
        Size.LARGE: Dimensions(8, "16Gi"),
    }

    vcpus: VirtualCpus = Field(default=2, description="Virtual CPUs of the machine.")
    memory: Quantity = Field(default="2Gi", description="Memory of the machine.")
    scale: Scale = Field(default=10, description="pgbench scale: 100,000 accounts and about 15 MB each.")
    data_disk: DataDisk = Field(default=DataDisk(), description="Disk of the database, which outlives its machine.")
    fio: Fio = Field(default=Fio(), description="A measurement of that disk.")

    @property
    def accounts(self) -> int:
        """How many accounts there are to ask for."""
        return 100_000 * self.scale

    def contradictions(self) -> Iterator[Contradiction]:
        """Yield what doesn't go together in this tier."""
        yield from super().contradictions()
        yield from self._immovable("dataDisk.accessMode", self.data_disk.access_mode)
        if "runtime" in self.fio.model_fields_set and not self.fio.enabled:
            problem = "measures nothing while database.fio.enabled is false: set it to true, or remove this"
            yield Contradiction(("database.fio.runtime", "database.fio.enabled"), problem)
        # 1 GiB beside the tables: PostgreSQL's log, its catalogues, and room for the file system.
        needed = -(-self.scale * 15 * 1000**2 // 1024**3) + 1
        if bytes_of(self.data_disk.size) < needed * 1024**3:
            problem = f"is too small for database.scale {self.scale}: 15 MB each and 1Gi besides need {needed}Gi"
            yield Contradiction(("database.dataDisk.size", "database.scale"), problem)


class Replicated(Machine):
    """The machines of a tier that may have several."""

    replicas: Replicas = Field(default=1, description="Number of machines.")
    topology_spread: TopologySpreadName = Field(
        default=TopologySpread.SCHEDULE_ANYWAY,
        description="Whether the tier's machines prefer or must have different nodes, as a Pod's whenUnsatisfiable.",
    )

    @property
    def spread(self) -> TopologySpread:
        """How strictly the tier's machines are kept on different nodes."""
        return self.topology_spread


class Application(Replicated):
    """The application tier."""

    tier = TierName.APPLICATION


class Web(Replicated):
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
