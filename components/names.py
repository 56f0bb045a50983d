"""Names and labels of the stack's objects. Names are fixed, so that Services can be found by DNS."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

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
    """The names of one stack.

    Attributes:
        name: Prefix of every object's name.
        namespace: Kubernetes namespace of all objects.
    """

    name: str
    namespace: str

    def machine(self, tier: TierName, index: int) -> str:
        """Return the name of a VirtualMachine, which is also the host name of its guest."""
        return f"{self.name}-{tier}-{index}"

    def machines(self, tier: TierName, replicas: int) -> list[str]:
        """Return the names of a tier's VirtualMachines."""
        return [self.machine(tier, index) for index in range(replicas)]

    @property
    def data_disk(self) -> str:
        """Name of the data disk's DataVolume."""
        return f"{self.machine(TierName.DATABASE, 0)}-data"

    def service(self, tier: TierName) -> str:
        """Return the name of a tier's Service."""
        return f"{self.name}-{tier}"

    def service_host(self, tier: TierName) -> str:
        """Return a Service's fully qualified name, because KubeVirt gives guests no DNS search list."""
        return f"{self.service(tier)}.{self.namespace}.svc.cluster.local"

    @property
    def credentials(self) -> str:
        """Name of the Secret with the database's credentials."""
        return f"{self.name}-credentials"

    @property
    def load(self) -> str:
        """Name of the load generator's ConfigMap, Service, account and access rules."""
        return f"{self.name}-load"

    @property
    def metrics(self) -> str:
        """Name of the ServiceMonitor."""
        return f"{self.name}-metrics"

    @property
    def isolation(self) -> str:
        """Name of the NetworkPolicy that denies by default; the others are named after their tier's Service."""
        return f"{self.name}-isolation"

    def labels(self, component: str) -> dict[str, str]:
        """Return the recommended Kubernetes labels; `instance` alone selects all objects of the stack."""
        return {
            "app.kubernetes.io/name": "multi-tier",
            "app.kubernetes.io/instance": self.name,
            "app.kubernetes.io/component": component,
            "app.kubernetes.io/part-of": "multi-tier",
            "app.kubernetes.io/managed-by": "pulumi",
        }

    def pods(self, tier: TierName | None = None) -> dict[str, str]:
        """Return the labels that select the launcher Pods of this stack, or of one of its tiers, and no others."""
        keys = ("app.kubernetes.io/name", "app.kubernetes.io/instance", "app.kubernetes.io/component")
        labels = self.labels(tier or "")
        return {key: labels[key] for key in (keys if tier else keys[:2])}

    def selector(self, tier: TierName) -> dict[str, str]:
        """Return the labels with which a Service selects its tier's launcher Pods."""
        return {key: self.labels(tier)[key] for key in ("app.kubernetes.io/instance", "app.kubernetes.io/component")}
