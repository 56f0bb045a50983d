"""Names and labels of the stack's objects. Names are fixed, so that Services can be found by DNS."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

PRODUCT = "multi-tier"
# Label of machines; a service mesh shows it as the revision of the service, and routes by it.
VERSION = "app.kubernetes.io/version"
# Annotation of an existing namespace that a new stack may take over, and delete with everything in it.
ADOPTABLE = {"multi-tier.kubevirt.io/adoptable": "true"}


class TierName(StrEnum):
    """The tiers, in the order in which they start."""

    DATABASE = "database"
    APPLICATION = "application"
    WEB = "web"
    LOAD = "load"


@dataclass(frozen=True, slots=True)
class Names:
    """The names of one instance of the application; most stacks have only one.

    Attributes:
        name: Prefix of every object's name.
        namespace: Kubernetes namespace of all objects.
        cluster_domain: DNS domain of the cluster.
        instance: Number of the instance in its stack.
    """

    name: str
    namespace: str
    cluster_domain: str
    instance: int = 0

    def resource(self, name: str) -> str:
        """Return the name of a resource for Pulumi, where names have to be unique in the stack."""
        return f"{self.instance}-{name}" if self.instance else name

    def machine(self, tier: TierName, index: int, *, canary: bool = False, pool: bool = False) -> str:
        """Return the name of a VirtualMachine, which is also the host name of its guest."""
        group = self.pool(tier) if pool else f"{self.name}-{tier}{'-canary' if canary else ''}"
        return f"{group}-{index}"

    def machines(self, tier: TierName, replicas: int, *, canary: bool = False, pool: bool = False) -> list[str]:
        """Return the names of a tier's VirtualMachines, or of its canary's or pool's."""
        return [self.machine(tier, index, canary=canary, pool=pool) for index in range(replicas)]

    def pool(self, tier: TierName) -> str:
        """Return the name of a tier's VirtualMachinePool, by which KubeVirt names its machines.

        It is unlike that of single machines, so that the machines of one kind can replace those of the other.
        """
        return f"{self.name}-{tier}-pool"

    def user_data(self, owner: str) -> str:
        """Return the name of the Secret with the user data of a machine, or of all machines behind a Service."""
        return f"{owner}-cloud-init"

    @property
    def data_disk(self) -> str:
        """Name of the data disk's DataVolume."""
        return f"{self.machine(TierName.DATABASE, 0)}-data"

    def service(self, tier: TierName) -> str:
        """Return the name of a tier's Service."""
        return f"{self.name}-{tier}"

    def service_account(self, tier: TierName) -> str:
        """Return the name of a tier's ServiceAccount; the load tier's is the load generator's."""
        return f"{self.name}-{tier}"

    def service_host(self, tier: TierName) -> str:
        """Return a Service's fully qualified name: not every guest uses the search list that KubeVirt's DHCP sends."""
        return f"{self.service(tier)}.{self.namespace}.svc.{self.cluster_domain}"

    def service_names(self, tier: TierName) -> tuple[str, ...]:
        """Return every name of a Service, the fully qualified one first."""
        short = self.service(tier)
        return self.service_host(tier), short, f"{short}.{self.namespace}", f"{short}.{self.namespace}.svc"

    @property
    def api_server(self) -> str:
        """URL of the API server, from inside the cluster."""
        return f"https://kubernetes.default.svc.{self.cluster_domain}"

    @property
    def credentials(self) -> str:
        """Name of the Secret with the database's credentials."""
        return f"{self.name}-credentials"

    @property
    def certificate(self) -> str:
        """Name of the ConfigMap with the database's certificate."""
        return f"{self.name}-database-certificate"

    @property
    def load(self) -> str:
        """Name of the load generator's ConfigMap, Service, account and access rules."""
        return f"{self.name}-load"

    @property
    def faults(self) -> str:
        """Name of the ConfigMap with the fault plan."""
        return f"{self.name}-faults"

    @property
    def fault_reports(self) -> str:
        """Name of the ConfigMap in which guests report what became of their faults."""
        return f"{self.name}-fault-reports"

    @property
    def metrics(self) -> str:
        """Name of the ServiceMonitor."""
        return f"{self.name}-metrics"

    @property
    def isolation(self) -> str:
        """Name of the NetworkPolicy that denies by default; the others are named after their tier's Service."""
        return f"{self.name}-isolation"

    def labels(self, component: str) -> dict[str, str]:
        """Return the recommended Kubernetes labels; `instance` alone selects all objects of the instance.

        The name is unique in the namespace, because a service mesh and Prometheus show it as the name of the service.
        """
        return {
            "app.kubernetes.io/name": f"{self.name}-{component}",
            **self.pods(component),
            "app.kubernetes.io/managed-by": "pulumi",
        }

    def pods(self, component: str | None = None) -> dict[str, str]:
        """Return the labels that select the launcher Pods of this instance, or of one of its tiers, and no others."""
        stack = {"app.kubernetes.io/part-of": PRODUCT, "app.kubernetes.io/instance": self.name}
        return {**stack, "app.kubernetes.io/component": component} if component else stack
