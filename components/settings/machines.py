"""Settings of a machine: size, root disk, scheduling."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, ClassVar, Literal

from pydantic import BeforeValidator, Field
from pydantic.alias_generators import to_camel

from cloudinit import Family
from cloudinit.families import DISTRIBUTIONS, Release, release_of
from components.settings.disks import AccessMode, Image
from components.settings.model import Contradiction, Model
from components.settings.values import (
    LabelValue,
    ObjectName,
    QualifiedName,
    Quantity,
    Version,
    allowing,
    bytes_of,
    pattern,
)

DEFAULT_CONTAINER_DISKS = {
    Family.DEBIAN: "quay.io/containerdisks/debian:12",
    Family.FEDORA: "quay.io/containerdisks/fedora:44",
}
# With less, the distribution's kernel, systemd and cloud-init run out of memory before the tier starts.
LEAST_MEMORY = {Family.DEBIAN: "256Mi", Family.FEDORA: "1Gi"}

VirtualCpus = Annotated[int, Field(ge=1, le=128)]
NodeLabels = Annotated[
    dict[QualifiedName, LabelValue],
    Field(min_length=1),
    allowing('a mapping of at least one node label to its value, such as {"disktype": "ssd"}'),
]
# `cpuRequest: 2` is a number in YAML.
NUMBER_AS_TEXT = BeforeValidator(lambda value: str(value) if type(value) is int else value)
CpuRequest = Annotated[
    str,
    pattern(r"[1-9][0-9]{0,5}m|[1-9][0-9]{0,2}"),
    NUMBER_AS_TEXT,
    allowing('a number of CPUs above zero, such as "500m" or 2'),
]


class Size(StrEnum):
    """Size of a machine; each tier has its own figures for it."""

    SMALL = "small"
    MEDIUM = "medium"
    LARGE = "large"


@dataclass(frozen=True, slots=True)
class Dimensions:
    """CPUs and memory of a machine."""

    vcpus: int
    memory: str


class Architecture(StrEnum):
    """A CPU architecture, as Kubernetes' node label `kubernetes.io/arch` calls it."""

    AMD64 = "amd64"
    ARM64 = "arm64"


# How the names of images and preferences say that they are for one architecture.
_ARCHITECTURE_NAMES = {
    Architecture.AMD64: re.compile(r"amd64|x86[_-]64", re.IGNORECASE),
    Architecture.ARM64: re.compile(r"arm64|aarch64", re.IGNORECASE),
}
# The preferences that ask for secure boot, which KubeVirt doesn't support on arm64 (common-instancetypes).
_SECURE_BOOT = re.compile(r"(fedora|rhel)\b.*")


class EvictionStrategy(StrEnum):
    """What happens to a machine when its node is drained."""

    NONE = "None"
    LIVE_MIGRATE = "LiveMigrate"
    LIVE_MIGRATE_IF_POSSIBLE = "LiveMigrateIfPossible"
    EXTERNAL = "External"


class TopologySpread(StrEnum):
    """How strictly a tier's machines are spread over nodes; the first two are values of `whenUnsatisfiable`."""

    SCHEDULE_ANYWAY = "ScheduleAnyway"
    DO_NOT_SCHEDULE = "DoNotSchedule"
    OFF = "Off"


class Toleration(Model):
    """A Pod's toleration, as in Kubernetes."""

    key: QualifiedName | None = Field(default=None, description="Taint to tolerate. Defaults to every taint.")
    operator: Literal["Equal", "Exists"] = Field(default="Equal", description="How to compare the taint's value.")
    value: Annotated[str, allowing("text")] = Field(default="", description="Value of the taint, for Equal.")
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = Field(
        default=None, description="Effect of the taint. Defaults to every effect."
    )
    toleration_seconds: int | None = Field(
        default=None, ge=0, le=2**31 - 1, description="How long to tolerate NoExecute. Defaults to forever."
    )

    def contradictions(self) -> Iterator[Contradiction]:
        """Yield what the API server would refuse."""
        if self.operator == "Exists" and self.value:
            yield Contradiction("value", "needs operator Equal: Exists ignores the value")
        if self.key is None and self.operator == "Equal":
            yield Contradiction("", "needs key, or operator Exists to tolerate every taint")
        if self.toleration_seconds is not None and self.effect != "NoExecute":
            yield Contradiction("tolerationSeconds", "needs effect NoExecute")


Tolerations = Annotated[
    list[Toleration],
    Field(min_length=1),
    allowing('a list of at least one Pod toleration, such as [{"key": "dedicated", "operator": "Exists"}]'),
]


class MachineSettings(Model):
    """The machines of a tier."""

    sizes: ClassVar[Mapping[Size, Dimensions]] = {
        Size.SMALL: Dimensions(1, "1Gi"),
        Size.MEDIUM: Dimensions(2, "2Gi"),
        Size.LARGE: Dimensions(4, "4Gi"),
    }

    family: Family = Field(default=Family.DEBIAN, description="Family of the guest's distribution.")
    architecture: Architecture = Field(
        default=Architecture.AMD64,
        description="CPU architecture of a machine: of its image, and of the nodes that run it.",
    )
    size: Size | None = Field(
        default=None,
        description="Preset for vcpus and memory: 1 and 1Gi, 2 and 2Gi, or 4 and 4Gi; for the database 2 and 2Gi, "
        "4 and 8Gi, or 8 and 16Gi. Defaults to vcpus and memory.",
    )
    vcpus: VirtualCpus = Field(default=1, description="Virtual CPUs of a machine.")
    memory: Quantity = Field(default="1Gi", description="Memory of a machine.")
    image: Image | None = Field(
        default=None, description="Source of the root disk. Defaults to the family's image at quay.io/containerdisks."
    )
    instancetype: ObjectName | None = Field(
        default=None,
        description="VirtualMachineClusterInstancetype that sets CPUs and memory. Defaults to vcpus and memory.",
    )
    preference: ObjectName | None = Field(
        default=None, description="VirtualMachineClusterPreference of the guest. Defaults to no preference."
    )
    cpu_request: CpuRequest | None = Field(
        default=None,
        description="CPUs to reserve on the node. Defaults to the cluster's CPU overcommitment, usually a tenth.",
    )
    memory_request: Quantity | None = Field(
        default=None, description="Memory to reserve on the node. Defaults to all of the machine's memory."
    )
    node_selector: NodeLabels | None = Field(
        default=None, description="Labels that a node needs to run a machine. Defaults to no labels."
    )
    tolerations: Tolerations | None = Field(
        default=None, description="Node taints that a machine tolerates. Defaults to no taints."
    )
    eviction_strategy: EvictionStrategy = Field(
        default=EvictionStrategy.LIVE_MIGRATE_IF_POSSIBLE,
        description="What happens to a machine when its node is drained: LiveMigrateIfPossible moves it, or shuts it "
        "down to start on another node; None always shuts it down; LiveMigrate blocks the drain if it can't move; "
        "External leaves it to another controller.",
    )
    version: Version = Field(
        default="v1",
        description="Version of the tier: the label app.kubernetes.io/version of its machines, by which a service mesh "
        "tells versions apart.",
    )

    @property
    def count(self) -> int:
        """Number of machines."""
        return 1

    @property
    def most(self) -> int:
        """Highest number of machines."""
        return self.count

    @property
    def pooled(self) -> bool:
        """Whether the machines are a VirtualMachinePool."""
        return False

    @property
    def most_unavailable(self) -> int:
        """How many of the tier's machines may be replaced at the same time."""
        return 1

    @property
    def spread(self) -> TopologySpread:
        """How strictly the tier's machines are spread over nodes."""
        return TopologySpread.OFF

    @property
    def dimensions(self) -> Dimensions:
        """CPUs and memory, unless an instancetype sets them."""
        return self.sizes[self.size] if self.size else Dimensions(self.vcpus, self.memory)

    @property
    def root(self) -> Image:
        """The source of the root disk: the chosen one, or the family's default."""
        return self.image or Image(container_disk=DEFAULT_CONTAINER_DISKS[self.family])

    @property
    def release(self) -> Release | None:
        """What the image contains, if its name says so."""
        return release_of(next(filter(None, self.root.source_names.values()), ""))

    def contradictions(self) -> Iterator[Contradiction]:
        """Yield conflicts between size, family, architecture, disks and eviction."""
        yield from self._sized_twice()
        least, memory = LEAST_MEMORY[self.family], self.dimensions.memory
        if not self.instancetype and bytes_of(memory) < bytes_of(least):
            yield Contradiction("memory", f"is less than the {least} that a {self.family} guest needs to boot")
        if self.memory_request and bytes_of(self.memory_request) > bytes_of(memory):
            yield Contradiction("memoryRequest", f"is more than the machine's memory, {memory}")
        yield from self._not_migratable("image.accessMode", self.image.access_mode if self.image else None)
        yield from self._family_mismatches()
        yield from self._architecture_mismatches()

    def _sized_twice(self) -> Iterator[Contradiction]:
        """Yield the keys that an instancetype or a size overrides."""
        overrides: list[tuple[str, str | None, tuple[str, ...]]] = [
            ("instancetype", self.instancetype, ("vcpus", "memory", "size", "cpu_request", "memory_request")),
            ("size", self.size, ("vcpus", "memory")),
        ]
        for name, value, overridden in overrides:
            for field in overridden if value else ():
                if field in self.model_fields_set:
                    yield Contradiction(
                        to_camel(field), f"and {name} {value} both size the machine: remove one of them"
                    )

    def _not_migratable(self, key: str, mode: AccessMode | None) -> Iterator[Contradiction]:
        """Yield an eviction strategy that a disk makes impossible."""
        if self.eviction_strategy is EvictionStrategy.LIVE_MIGRATE and mode not in (None, AccessMode.READ_WRITE_MANY):
            problem = f"needs {key} ReadWriteMany: with {mode} no machine can migrate and drains never finish"
            yield Contradiction("evictionStrategy", problem)

    def _family_mismatches(self) -> Iterator[Contradiction]:
        """Yield names of the other family's distributions: such a guest would boot but never be configured."""
        for key, name in self._chosen_names().items():
            for family, distributions in DISTRIBUTIONS.items():
                if family != self.family and name.lower().startswith(distributions):
                    yield Contradiction(key, f"belongs to the {family} family, but family is {self.family}")

    def _architecture_mismatches(self) -> Iterator[Contradiction]:
        """Yield names of the other architecture's images and preferences: such a machine would not boot."""
        for key, name in self._chosen_names().items():
            named = [architecture for architecture, words in _ARCHITECTURE_NAMES.items() if words.search(name)]
            if named and self.architecture not in named:
                yield Contradiction(key, f"is for {named[0]}, but architecture is {self.architecture}")
            elif (
                (key, self.architecture) == ("preference", Architecture.ARM64)
                and not named
                and _SECURE_BOOT.match(name)
            ):
                problem = (
                    f'asks for secure boot, which arm64 machines do not support: use "{name}.{Architecture.ARM64}"'
                )
                yield Contradiction(key, problem)

    def _chosen_names(self) -> dict[str, str]:
        """Return the names of the image and the preference, by key."""
        image = self.image.source_names if self.image else {}
        return {**{f"image.{key}": name for key, name in image.items()}, "preference": self.preference or ""}
