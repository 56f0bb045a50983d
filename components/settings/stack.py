"""Settings of a stack, and the contradictions between groups of settings."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from pydantic import Field, PrivateAttr

from cloudinit import Family
from cloudinit.constants import APPLICATION_CONNECTIONS, DATABASE_CONNECTIONS, RESERVED_CONNECTIONS
from cloudinit.families import OLDEST_PYTHON
from components.names import Names, TierName
from components.settings.chaos import ChaosSettings
from components.settings.guests import Certificate, PackageMirrorSettings, ProxySettings, SshSettings
from components.settings.load import DEFAULT_CONCURRENCY, GateSettings, LoadSettings
from components.settings.machines import LEAST_MEMORY, MachineSettings
from components.settings.mesh import MeshSettings
from components.settings.model import Contradiction, Model
from components.settings.network import IpFamilyPolicy, NetworkPolicySettings
from components.settings.telemetry import MetricsSettings, TracingSettings
from components.settings.tiers import ApplicationSettings, DatabaseSettings, WebSettings
from components.settings.values import (
    Annotations,
    DomainName,
    Duration,
    LabelValue,
    NamespaceName,
    QualifiedName,
    allowing,
    bytes_of,
    pattern,
    seconds_of,
)

LEAST_MEMORY_WITH_LOAD = "384Mi"
LONGEST_LABEL = 63
# What k6 was measured to take for each virtual user.
VIRTUAL_USER_BYTES = 217_000
# `pgbench --initialize` is one connection, which copies no more than this even from memory to memory.
FASTEST_ACCOUNTS_PER_SECOND = 1_000_000

# Services are named after the stack, and their names have to start with a letter.
StackName = Annotated[
    str,
    pattern(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?"),
    allowing("1 to 63 characters of a-z, 0-9 and -, starting with a letter and not ending with -"),
]


Instances = Annotated[int, Field(ge=1, le=1000)]

NamespaceLabels = Annotated[
    dict[QualifiedName, LabelValue],
    Field(min_length=1),
    allowing(
        'a mapping of at least one label to its value, such as {"pod-security.kubernetes.io/enforce": "privileged"}'
    ),
]
OWN_LABELS = "app.kubernetes.io/"
MESH_LABELS = {"istio-injection", "istio.io/rev"}


class NamespaceMetadata(Model):
    """Metadata of the namespace that the stack creates."""

    labels: NamespaceLabels | None = Field(
        default=None, description="Labels of the namespace, besides those that the stack sets. Defaults to no labels."
    )
    annotations: Annotations | None = Field(
        default=None, description="Annotations of the namespace. Defaults to no annotations."
    )

    def contradictions(self) -> Iterator[Contradiction]:
        """Yield labels that are the stack's own."""
        if any(name.startswith(OWN_LABELS) for name in self.labels or ()):
            yield Contradiction("labels", f"sets a label below {OWN_LABELS}, which the stack sets itself: remove it")


class TimeoutSettings(Model):
    """How long operations may take before they fail."""

    ready: Duration = Field(
        default="20m",
        description="Longest wait for a new machine to become ready: for its root disk, packages, and the database's "
        "tables. Guests keep trying for as long as it takes.",
    )
    delete: Duration = Field(default="5m", description="Longest wait for an object to be deleted.")


def most_in_flight(memory: int, family: Family = Family.DEBIAN) -> int:
    """Return how many requests in flight a generator has the memory for.

    Args:
        memory: Its machine's, in bytes.
        family: The machine's, by which its guest takes less or more of it for itself.
    """
    base = bytes_of(LEAST_MEMORY[family])
    return DEFAULT_CONCURRENCY + max(0, memory - base) // VIRTUAL_USER_BYTES


class WaveSettings(Model):
    """How many instances are created at the same time."""

    size: Instances | None = Field(
        default=None,
        description="Number of instances that are created at the same time; the next ones follow once these serve. "
        "Defaults to all of them.",
    )
    pause: Duration | None = Field(
        default=None, description="Pause between two waves, while they are created. Defaults to none."
    )

    def contradictions(self) -> Iterator[Contradiction]:
        """Yield a pause between waves that don't exist."""
        if self.pause and not self.size:
            yield Contradiction("pause", "needs size: all instances are one wave without it")


class Settings(Model):
    """All settings of a stack, or of one of its instances."""

    _instance: int = PrivateAttr(default=0)

    name: StackName = Field(default="multi-tier", description="Prefix of the name of every object.")
    namespace: NamespaceName = Field(default="multi-tier", description="Kubernetes namespace of all objects.")
    cluster_domain: DomainName = Field(
        default="cluster.local",
        description="DNS domain of the cluster, below which its Services have their names.",
    )
    create_namespace: bool = Field(
        default=True, description="Whether the stack creates the namespace, and deletes it again."
    )
    namespace_metadata: NamespaceMetadata = Field(
        default=NamespaceMetadata(), description="Metadata of the namespace that the stack creates."
    )
    instances: Instances = Field(
        default=1,
        description="Number of independent applications, which share nothing but the namespace; names start with "
        "<name>, <name>-1, <name>-2 and so on.",
    )
    waves: WaveSettings = Field(default=WaveSettings(), description="How many instances are created at the same time.")
    database: DatabaseSettings = Field(
        default=DatabaseSettings(), description="The database machine: PostgreSQL with a pgbench schema."
    )
    application: ApplicationSettings = Field(
        default=ApplicationSettings(), description="The application machines: a JSON API."
    )
    web: WebSettings = Field(default=WebSettings(), description="The web machines: an nginx reverse proxy.")
    load: LoadSettings = Field(default=LoadSettings(), description="The load generator, and the load that it sends.")
    gates: GateSettings = Field(default=GateSettings(), description="Limits that a measured run has to meet to pass.")
    chaos: ChaosSettings = Field(default=ChaosSettings(), description="Faults that the guests inject.")
    metrics: MetricsSettings = Field(default=MetricsSettings(), description="Metrics for Prometheus.")
    tracing: TracingSettings = Field(default=TracingSettings(), description="OpenTelemetry traces.")
    ssh: SshSettings = Field(default=SshSettings(), description="SSH access to the guests.")
    proxy: ProxySettings = Field(default=ProxySettings(), description="Proxies for package downloads.")
    package_mirror: PackageMirrorSettings = Field(
        default=PackageMirrorSettings(), description="Package sources besides the distribution's servers."
    )
    certificate_authorities: list[Certificate] = Field(
        default=[], description="Certificate authorities to trust in the guests, besides the distribution's."
    )
    network_policies: NetworkPolicySettings = Field(
        default=NetworkPolicySettings(), description="Who can connect to the machines."
    )
    ip_family_policy: IpFamilyPolicy = Field(
        default=IpFamilyPolicy.SINGLE_STACK,
        description="IP families of the Services; unless it is SingleStack, the machines have an IPv6 address, too.",
    )
    mesh: MeshSettings = Field(default=MeshSettings(), description="The service mesh of the machines.")
    timeouts: TimeoutSettings = Field(default=TimeoutSettings(), description="How long operations may take.")

    @property
    def names(self) -> Names:
        """The names of the stack's objects."""
        return Names(self.name, self.namespace, self.cluster_domain, self._instance)

    @property
    def each(self) -> list[Settings]:
        """The settings of each instance. The first one has the stack's own name, and creates the namespace."""
        return [self, *map(self._copy, range(1, self.instances))]

    def _copy(self, number: int) -> Settings:
        found = self.model_copy(update={"name": f"{self.name}-{number}", "create_namespace": False})
        found._instance = number
        return found

    @property
    def dual_stack(self) -> bool:
        """Whether the machines have an IPv6 address besides their IPv4 address."""
        return self.ip_family_policy is not IpFamilyPolicy.SINGLE_STACK

    @property
    def tiers(self) -> dict[TierName, MachineSettings]:
        """The tiers that have machines."""
        return {TierName(name): tier for name, tier in self if isinstance(tier, MachineSettings) and tier.count}

    @property
    def machine_names(self) -> dict[TierName, list[str]]:
        """The names of the machines of each tier, its canary's at the end."""
        found = {tier: self.names.machines(tier, one.count, pool=one.pooled) for tier, one in self.tiers.items()}
        if canary := self.application.canary:
            found[TierName.APPLICATION] += self.names.machines(TierName.APPLICATION, canary.replicas, canary=True)
        return found

    def contradictions(self) -> Iterator[Contradiction]:
        """Yield the contradictions between groups."""
        yield from self._namespace()
        yield from self._name()
        yield from self._several()
        yield from self._unused_mirrors()
        yield from self._without_load()
        yield from self._generator_memory()
        yield from self._old_python()
        if self.network_policies.metrics_from is not None and not (self.metrics.enabled or self.mesh.enabled):
            yield Contradiction(
                "networkPolicies.metricsFrom", "needs metrics.enabled: there is nothing to scrape without it"
            )
        if self.application.canary and not self.mesh.enabled:
            yield Contradiction(
                "application.canary", "needs mesh.enabled: only a mesh sends it its share of the requests"
            )
        if self.mesh.enabled and self.dual_stack:
            yield Contradiction("ipFamilyPolicy", "needs mesh.enabled false: machines with sidecars have IPv4 only")
        if self.web.pooled and self.load.enabled and not self.load.dedicated:
            problem = "needs load.dedicated, or load.enabled false: no machine of a pool can run the load generator"
            yield Contradiction("web.pool.enabled", problem)
        yield from self._time()
        yield from self._connections()
        yield from self._chaos()

    def _time(self) -> Iterator[Contradiction]:
        ready = self.timeouts.ready
        measuring = self.database.fio.seconds * self.database.fio.jobs
        if measuring >= seconds_of(ready):
            problem = f"is too long: {self.database.fio.jobs} jobs take {measuring} s, but timeouts.ready is {ready}"
            yield Contradiction("database.fio.runtime", problem)
        filling = self.database.accounts // FASTEST_ACCOUNTS_PER_SECOND
        if filling >= seconds_of(ready):
            problem = (
                f"is too short for scale {self.database.scale}: a fast machine creates its accounts in {filling} s"
            )
            yield Contradiction("timeouts.ready", problem)

    def _chaos(self) -> Iterator[Contradiction]:
        length = seconds_of(self.load.duration)
        for number, one in enumerate(self.chaos.faults):
            if any(one.all_contradictions()):
                continue
            if one.fault.end > length:
                ends = f"ends {one.fault.end:g} s after the start, but load.duration is {self.load.duration}"
                problem = f"{ends}: a fault may not outlive the load"
                yield Contradiction(f"chaos.faults.{number}", problem)
            machine = self.tiers[one.tier]
            memory = None if machine.instancetype else bytes_of(machine.dimensions.memory)
            if one.stress and one.stress.memory and memory and bytes_of(one.stress.memory) >= memory:
                problem = f"is not below the machine's memory, {machine.dimensions.memory}"
                yield Contradiction(f"chaos.faults.{number}.stress.memory", problem)

    def _connections(self) -> Iterator[Contradiction]:
        exporter = int(self.metrics.enabled)
        available = DATABASE_CONNECTIONS - RESERVED_CONNECTIONS - exporter
        canaries = self.application.canary.replicas if self.application.canary else 0
        if (self.application.most + canaries) * APPLICATION_CONNECTIONS > available:
            key = "pool.autoscaling.maxReplicas" if self.application.pool.autoscaling else "replicas"
            problem = (
                f"need {APPLICATION_CONNECTIONS} connections each, but PostgreSQL accepts {available}: "
                f"use at most {available // APPLICATION_CONNECTIONS}{', canary.replicas included' if canaries else ''}"
            )
            yield Contradiction(f"application.{key}", problem)

    def _namespace(self) -> Iterator[Contradiction]:
        if self.create_namespace and self.database.data_disk.keep:
            problem = "has no effect because the namespace is deleted with the stack: set createNamespace to false"
            yield Contradiction("database.dataDisk.keep", problem)
        if not self.create_namespace:
            for name in sorted(self.namespace_metadata.model_fields_set):
                problem = "has no effect because createNamespace is false: set it on the namespace itself"
                yield Contradiction(f"namespaceMetadata.{name}", problem)
        if self.mesh.enabled and MESH_LABELS & set(self.namespace_metadata.labels or ()):
            problem = "sets a label that mesh.enabled sets itself: remove it, or use mesh.revision"
            yield Contradiction("namespaceMetadata.labels", problem)

    def _name(self) -> Iterator[Contradiction]:
        last = self.each[-1]
        names = [last.names.machine(tier, one.most - 1, pool=one.pooled) for tier, one in self.tiers.items()]
        longest = max(*names, *(of_tier[-1] for of_tier in last.machine_names.values()), key=len)
        if len(longest) > LONGEST_LABEL:
            most = LONGEST_LABEL - len(longest) + len(self.name)
            problem = f"is too long: {longest} has more than {LONGEST_LABEL} characters, so use at most {most}"
            yield Contradiction("name", problem)

    def _several(self) -> Iterator[Contradiction]:
        """Yield what only one instance can have, or only several."""
        if self.instances == 1:
            if self.waves.size:
                yield Contradiction("waves.size", "needs instances above 1")
            return
        if self.web.service.node_port is not None:
            problem = "needs instances 1: only one Service can have it. Remove it, and the cluster allocates ports"
            yield Contradiction("web.service.nodePort", problem)
        if self.web.expose:
            problem = "needs instances 1: requests for a host go to one instance. Use web.service, or several stacks"
            yield Contradiction("web.expose", problem)

    def _unused_mirrors(self) -> Iterator[Contradiction]:
        given = {
            Family.DEBIAN: ("packageMirror.debian.primary", self.package_mirror.debian.primary),
            Family.FEDORA: ("packageMirror.fedora.repositories", self.package_mirror.fedora.repositories),
        }
        families = {tier.family for tier in self.tiers.values()}
        for family, (key, value) in given.items():
            if value and family not in families:
                yield Contradiction(key, f"has no effect because no guest is of the {family} family: remove it")

    def _without_load(self) -> Iterator[Contradiction]:
        keys = [f"gates.{key}" for key in self.gates.given()]
        if self.network_policies.load_from is not None:
            keys.append("networkPolicies.loadFrom")
        if not self.load.enabled:
            for key in keys:
                yield Contradiction(key, "has no effect while load.enabled is false: set it to true, or remove this")

    def _generator_memory(self) -> Iterator[Contradiction]:
        key, machine = ("load", self.load) if self.load.dedicated else ("web", self.web)
        memory, family_least = bytes_of(machine.dimensions.memory), bytes_of(LEAST_MEMORY[machine.family])
        if not self.load.enabled or machine.instancetype or memory < family_least:
            return
        least = bytes_of(LEAST_MEMORY_WITH_LOAD)
        if key == "web" and memory < least:
            problem = f"is too little for nginx and the load generator: they need {LEAST_MEMORY_WITH_LOAD}"
            yield Contradiction("web.memory", problem)
            return
        most = most_in_flight(memory, machine.family)
        if self.load.concurrency > most:
            problem = (
                f"needs more memory than the {machine.dimensions.memory} of {key}.memory: each request in flight takes "
                f"{VIRTUAL_USER_BYTES // 1000} KB of the generator's; use at most {most}, or more memory"
            )
            yield Contradiction("load.concurrency", problem)

    def _old_python(self) -> Iterator[Contradiction]:
        oldest = ".".join(map(str, OLDEST_PYTHON))
        machines = [(tier, str(tier), machine) for tier, machine in self.tiers.items()]
        canary = self.application.canary_machines
        if canary and canary.image is not self.application.image:
            machines.append((TierName.APPLICATION, "application.canary", canary))
        for tier, group, machine in machines:
            unneeded = tier is TierName.WEB and not (
                self.tracing.endpoint or (self.load.enabled and not self.load.dedicated)
            )
            release = machine.release
            if unneeded or tier is TierName.DATABASE or machine.image is None or release is None:
                continue
            if release.python < OLDEST_PYTHON:
                key = next(key for key, name in machine.image.source_names.items() if name)
                found = ".".join(map(str, release.python))
                problem = f"has Python {found}, but this tier needs {oldest}: choose a later release"
                yield Contradiction(f"{group}.image.{key}", problem)
