"""The settings of a stack: the only home of defaults and of checks across settings. Read by `configuration.py`."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import Field

from cloudinit import Site
from components.names import Names, TierName
from components.settings.guest_values import Certificates
from components.settings.guests import PackageMirror, Proxy, Ssh
from components.settings.load import Gates, Load
from components.settings.machines import Application, Database, Machine, Web
from components.settings.model import Contradiction, Model
from components.settings.network import Mesh, NetworkPolicies
from components.settings.telemetry import Metrics, Tracing
from components.settings.values import Duration, Flag, NamespaceName, StackName, bytes_of, seconds_of

LEAST_MEMORY_WITH_LOAD = "384Mi"
BUILT_IN_NAMESPACES = ("default", "kube-system", "kube-public", "kube-node-lease")
LONGEST_LABEL = 63


class Timeouts(Model):
    """How long an operation may take before it counts as failed."""

    ready: Duration = Field(default="10m", description="Longest wait for a new machine to serve.")
    delete: Duration = Field(default="5m", description="Longest wait for an object to be gone.")


class Settings(Model):
    """All settings of a stack."""

    name: StackName = Field(default="multi-tier", description="What the name of every object begins with.")
    namespace: NamespaceName = Field(default="multi-tier", description="Kubernetes namespace that everything lives in.")
    create_namespace: Flag = Field(
        default=True, description="Whether the namespace is the stack's own, made and deleted with it."
    )
    database: Database = Field(
        default=Database(), description="The database machine: PostgreSQL with a pgbench schema."
    )
    application: Application = Field(default=Application(), description="The application machines: a JSON API.")
    web: Web = Field(default=Web(), description="The web machines: an nginx reverse proxy.")
    load: Load = Field(default=Load(), description="The load generator, and what it sends.")
    gates: Gates = Field(default=Gates(), description="What a measured run has to reach to pass.")
    metrics: Metrics = Field(default=Metrics(), description="Metrics for Prometheus.")
    tracing: Tracing = Field(default=Tracing(), description="OpenTelemetry traces.")
    ssh: Ssh = Field(default=Ssh(), description="Who may log in to the guests.")
    proxy: Proxy = Field(default=Proxy(), description="What guests download packages through.")
    package_mirror: PackageMirror = Field(
        default=PackageMirror(), description="Where guests get what their image lacks."
    )
    certificate_authorities: Certificates = Field(
        default=[], description="Authorities that guests trust besides their distribution's."
    )
    network_policies: NetworkPolicies = Field(default=NetworkPolicies(), description="Who may connect to the machines.")
    mesh: Mesh = Field(default=Mesh(), description="The service mesh that the machines are part of.")
    timeouts: Timeouts = Field(default=Timeouts(), description="How long operations may take.")

    @property
    def names(self) -> Names:
        """The names of the stack's objects."""
        return Names(self.name, self.namespace)

    @property
    def site(self) -> Site:
        """What guests are told of the place they run in."""
        return Site(
            ssh=self.ssh.access,
            proxy=self.proxy.proxy,
            mirrors=self.package_mirror.mirrors,
            certificate_authorities=tuple(f"{pem.strip()}\n" for pem in self.certificate_authorities),
        )

    @property
    def machines(self) -> list[Machine]:
        """The tiers that have machines."""
        dedicated = [self.load] if self.load.enabled and self.load.dedicated else []
        return [self.database, self.application, self.web, *dedicated]

    def contradictions(self) -> Iterator[Contradiction]:
        """Yield everything that doesn't go together."""
        if self.create_namespace and self.namespace in BUILT_IN_NAMESPACES:
            problem = "is in every cluster already and must not be deleted with the stack: set createNamespace to false"
            yield Contradiction(("namespace", "createNamespace"), problem)
        if self.create_namespace and self.database.data_disk.keep:
            problem = "keeps nothing while the namespace goes with the stack: set createNamespace to false"
            yield Contradiction(("database.dataDisk.keep", "createNamespace"), problem)
        longest = self.names.machine(TierName.APPLICATION, self.application.replicas - 1)
        if len(longest) > LONGEST_LABEL:
            most = LONGEST_LABEL - len(longest) + len(self.name)
            problem = f"is too long: {longest} would have more than 63 characters, so use at most {most}"
            yield Contradiction(("name", "application.replicas"), problem)
        for group in (
            self.database,
            self.application,
            self.web,
            self.load,
            self.metrics,
            self.tracing,
            self.ssh,
            self.proxy,
            self.mesh,
        ):
            yield from group.contradictions()
        yield from self.package_mirror.contradictions({machine.family for machine in self.machines})
        metrics = self.metrics.enabled or self.mesh.enabled
        yield from self.network_policies.contradictions(metrics=metrics, load=self.load.enabled)
        yield from self._crowded_web()
        measuring = self.database.fio.seconds * self.database.fio.jobs
        if measuring >= seconds_of(self.timeouts.ready):
            problem = f"is too long: three of it take {measuring} s, and the machine has to serve within timeouts.ready"
            yield Contradiction(("database.fio.runtime", "timeouts.ready"), f"{problem} {self.timeouts.ready}")
        if not self.load.enabled:
            for key in self.gates.given():
                problem = "has nothing to judge while load.enabled is false: remove it, or generate load"
                yield Contradiction((key, "load.enabled"), problem)

    def _crowded_web(self) -> Iterator[Contradiction]:
        crowded = self.web.least_memory <= bytes_of(self.web.dimensions.memory) < bytes_of(LEAST_MEMORY_WITH_LOAD)
        with_load = self.load.enabled and not self.load.dedicated
        if with_load and not self.web.instancetype and crowded:
            problem = f"is too little for nginx and the load generator: they need {LEAST_MEMORY_WITH_LOAD}"
            yield Contradiction(("web.memory", "web.family", "load.enabled"), problem)
