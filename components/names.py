"""What the stack's objects are called and how they are labelled: fixed names, so that Services are found by DNS."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class TierName(StrEnum):
    """The tiers, in the order in which they come up."""

    DATABASE = "database"
    APPLICATION = "application"
    WEB = "web"
    LOAD = "load"


@dataclass(frozen=True, slots=True)
class Names:
    """The names of one stack.

    Attributes:
        name: what every object's name begins with.
        namespace: the Kubernetes namespace that all of them live in.
    """

    name: str
    namespace: str

    def machine(self, tier: TierName, index: int) -> str:
        """Return the name of a VirtualMachine, which is its guest's host name too."""
        return f"{self.name}-{tier}-{index}"

    def machines(self, tier: TierName, replicas: int) -> list[str]:
        """Return the names of a tier's VirtualMachines."""
        return [self.machine(tier, index) for index in range(replicas)]

    @property
    def data_disk(self) -> str:
        """The DataVolume of the database's disk."""
        return f"{self.machine(TierName.DATABASE, 0)}-data"

    def service(self, tier: TierName) -> str:
        """Return the name of a tier's Service."""
        return f"{self.name}-{tier}"

    def service_host(self, tier: TierName) -> str:
        """Return a Service's full name: KubeVirt gives guests no search list to complete a short one with."""
        return f"{self.service(tier)}.{self.namespace}.svc.cluster.local"

    @property
    def credentials(self) -> str:
        """The Secret with the database's credentials."""
        return f"{self.name}-credentials"

    @property
    def load(self) -> str:
        """The ConfigMap with the load plan, what lets the generator read it, and the Service of its figures."""
        return f"{self.name}-load"

    @property
    def metrics(self) -> str:
        """The ServiceMonitor."""
        return f"{self.name}-metrics"

    @property
    def isolation(self) -> str:
        """The NetworkPolicy that lets nobody in; those that let somebody in are named as their tier's Service."""
        return f"{self.name}-isolation"

    def labels(self, component: str) -> dict[str, str]:
        """Return the recommended Kubernetes labels; `instance` alone selects everything of this stack."""
        return {
            "app.kubernetes.io/name": "multi-tier",
            "app.kubernetes.io/instance": self.name,
            "app.kubernetes.io/component": component,
            "app.kubernetes.io/part-of": "multi-tier",
            "app.kubernetes.io/managed-by": "pulumi",
        }

    def pods(self, tier: TierName | None = None) -> dict[str, str]:
        """Return the labels that only launcher Pods of this stack have, or of one of its tiers."""
        keys = ("app.kubernetes.io/name", "app.kubernetes.io/instance", "app.kubernetes.io/component")
        labels = self.labels(tier or "")
        return {key: labels[key] for key in (keys if tier else keys[:2])}

    def selector(self, tier: TierName) -> dict[str, str]:
        """Return the labels by which a Service finds its tier's launcher Pods."""
        return {key: self.labels(tier)[key] for key in ("app.kubernetes.io/instance", "app.kubernetes.io/component")}
