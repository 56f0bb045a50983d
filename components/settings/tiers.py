"""Settings of the tiers: what each has besides the settings of its machines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, ClassVar

from pydantic import Field

from cloudinit.families import is_floating
from components.settings.disks import DataDisk, Fio, Image
from components.settings.exposure import Exposure, WebService
from components.settings.machines import (
    NUMBER_AS_TEXT,
    Dimensions,
    MachineSettings,
    Size,
    TopologySpread,
    VirtualCpus,
)
from components.settings.model import Contradiction, Model
from components.settings.pools import PoolSettings, Replicas
from components.settings.values import Quantity, Version, allowing, bytes_of, pattern

MaxUnavailable = Annotated[
    str,
    pattern(r"(100|[1-9][0-9]?)%?"),
    NUMBER_AS_TEXT,
    allowing('a whole number from 1 to 100, or a percentage from "1%" to "100%"'),
]


class Tls(Model):
    """Encryption of connections."""

    enabled: bool = Field(
        default=True,
        description="Require TLS 1.3 with the database's own certificate. "
        "A change replaces the machines of both tiers.",
    )


class DatabaseSettings(MachineSettings):
    """The database tier: always one machine."""

    sizes: ClassVar[Mapping[Size, Dimensions]] = {
        Size.SMALL: Dimensions(2, "2Gi"),
        Size.MEDIUM: Dimensions(4, "8Gi"),
        Size.LARGE: Dimensions(8, "16Gi"),
    }

    vcpus: VirtualCpus = Field(default=2, description="Virtual CPUs of the machine.")
    memory: Quantity = Field(default="2Gi", description="Memory of the machine.")
    # Accounts are numbered from 1 to 100,000 * scale in a 32-bit column.
    scale: int = Field(
        default=10, ge=1, le=20_000, description="pgbench scale; each unit is 100,000 accounts and about 15 MB."
    )
    allow_data_loss: bool = Field(
        default=False,
        description="Allow a changed scale, name or namespace to delete all accounts and history. "
        "A change replaces the machine.",
    )
    data_disk: DataDisk = Field(default=DataDisk(), description="Disk of the database, which outlives the machine.")
    password_version: int = Field(
        default=1,
        ge=1,
        le=2**31 - 1,
        description="Version of the database's password: any other value makes a new password, which the machines take "
        "over while they run.",
    )
    tls: Tls = Field(default=Tls(), description="Encryption of the application's connections.")
    fio: Fio = Field(default=Fio(), description="Measurement of the data disk.")

    @property
    def accounts(self) -> int:
        """Number of accounts in the database."""
        return 100_000 * self.scale

    def contradictions(self) -> Iterator[Contradiction]:
        """Yield what contradicts the data disk, too."""
        yield from super().contradictions()
        yield from self._not_migratable("dataDisk.accessMode", self.data_disk.access_mode)
        for key, image in (self.image.source_names if self.image else {}).items():
            if is_floating(image):
                problem = (
                    "floats: a later release may have another PostgreSQL, which can't read the data disk. "
                    'Name an image with a version, such as registry: "quay.io/containerdisks/fedora:44"'
                )
                yield Contradiction(f"image.{key}", problem)
        # A unit takes 15.7 MB, and ext4 keeps 7 % for itself. 1 GiB besides, for PostgreSQL's log and catalogs.
        needed = -(-self.scale * 17 * 1000**2 // 1024**3) + 1
        if bytes_of(self.data_disk.size) < needed * 1024**3:
            problem = f"is too small for scale {self.scale}, which needs {needed}Gi: 17 MB per unit, plus 1Gi"
            yield Contradiction("dataDisk.size", problem)


class ReplicatedSettings(MachineSettings):
    """The machines of a tier that can have several."""

    replicas: Replicas = Field(default=1, description="Number of machines.")
    topology_spread: TopologySpread = Field(
        default=TopologySpread.SCHEDULE_ANYWAY,
        description="Whether the tier's machines prefer different nodes (ScheduleAnyway) or require them "
        "(DoNotSchedule).",
    )
    max_unavailable: MaxUnavailable = Field(
        default="25%",
        description="How many machines are replaced at the same time: a number, or a percentage of the tier's, its "
        "canary's included, rounded down to at least one. They are created and deleted in the same order.",
    )
    pool: PoolSettings = Field(default=PoolSettings(), description="The machines as a VirtualMachinePool.")

    @property
    def count(self) -> int:
        """Number of machines."""
        return self.replicas

    @property
    def most(self) -> int:
        """Highest number of machines."""
        return self.pool.autoscaling.max_replicas if self.pool.autoscaling else self.count

    @property
    def pooled(self) -> bool:
        """Whether the machines are a VirtualMachinePool."""
        return self.pool.enabled

    @property
    def most_unavailable(self) -> int:
        """How many of the tier's machines may be replaced at the same time."""
        number, percent, _ = self.max_unavailable.partition("%")
        return max(1, int(number) * self._behind_the_service // 100) if percent else int(number)

    @property
    def _behind_the_service(self) -> int:
        """Number of machines that requests go to."""
        return self.count

    @property
    def spread(self) -> TopologySpread:
        """How strictly the tier's machines are spread over nodes."""
        return self.topology_spread

    def contradictions(self) -> Iterator[Contradiction]:
        """Yield what a pool can't do, too."""
        yield from super().contradictions()
        if self.pooled and not self.root.container_disk:
            # cloud-init runs once on each root disk.
            problem = "needs containerDisk in a pool: KubeVirt restarts its machines, and other disks stay as they were"
            yield Contradiction("image", problem)
        if self.pooled and (scaling := self.pool.autoscaling):
            if scaling.max_replicas < self.replicas:
                yield Contradiction("pool.autoscaling.maxReplicas", f"is below replicas {self.replicas}")
            if not (self.cpu_request or self.instancetype):
                problem = "needs cpuRequest, since it is a percentage of that: the default is a tenth of the CPUs"
                yield Contradiction("pool.autoscaling.targetCpu", problem)


class Canary(Model):
    """Machines of another version beside a tier's own. Everything that isn't set here is as in the tier."""

    version: Version = Field(description="Version of the tier: the label app.kubernetes.io/version of these machines.")
    weight: int = Field(ge=0, le=100, description="Percentage of the tier's requests that the mesh sends to it.")
    replicas: Replicas = Field(default=1, description="Number of machines.")
    image: Image | None = Field(
        default=None, description="Source of the root disk, of the same family. Defaults to the tier's image."
    )


class ApplicationSettings(ReplicatedSettings):
    """The application tier."""

    canary: Canary | None = Field(
        default=None, description="Machines of another version, which need mesh.enabled. Defaults to none."
    )

    @property
    def canary_machines(self) -> ReplicatedSettings | None:
        """The settings of the canary's machines; None without a canary."""
        if self.canary is None:
            return None
        own = {"version": self.canary.version, "replicas": self.canary.replicas, "canary": None}
        return self.model_copy(update=own | ({"image": self.canary.image} if self.canary.image else {}))

    @property
    def _behind_the_service(self) -> int:
        """Number of machines that requests go to, the canary's included."""
        return self.count + (self.canary.replicas if self.canary else 0)

    def contradictions(self) -> Iterator[Contradiction]:
        """Yield what contradicts the canary, too."""
        yield from super().contradictions()
        if self.canary is None or self.canary_machines is None:
            return
        if self.pooled:
            yield Contradiction("canary", "needs pool.enabled false: all machines of a pool have the same version")
        if self.canary.version == self.version:
            yield Contradiction("canary.version", "is the tier's own version: a mesh can't tell them apart")
        if self.canary.image:
            for found in self.canary_machines.contradictions():
                if found.key.startswith("image."):
                    yield Contradiction(f"canary.{found.key}", found.problem)


class WebSettings(ReplicatedSettings):
    """The web tier."""

    replicas: Replicas = Field(
        default=1,
        description="Number of machines. The first one also runs the load generator, unless load.dedicated is set.",
    )
    service: WebService = Field(default=WebService(), description="Service of the web tier.")
    expose: Exposure | None = Field(
        default=None, description="Route for requests from outside the cluster. Defaults to no route."
    )
