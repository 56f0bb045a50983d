"""The settings of who may connect to the machines, and of the service mesh that they are part of."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import Field
from pydantic.alias_generators import to_camel

from components.settings.model import Contradiction, Model
from components.settings.values import Flag, ObjectName, Peers


class NetworkPolicies(Model):
    """Which connections to the machines the cluster's network lets through."""

    enabled: Flag = Field(default=True, description="Whether NetworkPolicies let only the next tier connect to a tier.")
    web_from: Peers | None = Field(
        default=None, description="Who may connect to the web tier, besides the load; none: everybody."
    )
    load_from: Peers | None = Field(
        default=None,
        description="Who may read the load generator's figures; none: everybody, as the API server's proxy needs.",
    )
    metrics_from: Peers | None = Field(
        default=None, description="Who may scrape metrics; none: Pods of every namespace."
    )

    def contradictions(self, *, metrics: bool, load: bool) -> Iterator[Contradiction]:
        """Yield what doesn't go together in who may connect.

        Args:
            metrics: whether there are metrics, the tiers' own or a sidecar's.
            load: whether there is load.
        """
        if not self.enabled:
            for field in sorted({"web_from", "load_from", "metrics_from"} & self.model_fields_set):
                problem = "needs networkPolicies.enabled: nobody would be kept out"
                keys = (f"networkPolicies.{to_camel(field)}", "networkPolicies.enabled")
                yield Contradiction(keys, problem)
        if self.metrics_from is not None and not metrics:
            problem = "needs metrics.enabled: there would be nothing to scrape"
            yield Contradiction(("networkPolicies.metricsFrom", "metrics.enabled", "mesh.enabled"), problem)
        if self.load_from is not None and not load:
            problem = "has nobody's figures to guard while load.enabled is false: remove it, or generate load"
            yield Contradiction(("networkPolicies.loadFrom", "load.enabled"), problem)


class Mesh(Model):
    """An Istio service mesh that the cluster has."""

    enabled: Flag = Field(default=False, description="Whether the machines get sidecars of the cluster's Istio.")
    revision: ObjectName | None = Field(
        default=None, description="Revision or revision tag of Istio; none: the one that injects by default."
    )

    def contradictions(self) -> Iterator[Contradiction]:
        """Yield what doesn't go together in the mesh."""
        if self.revision is not None and not self.enabled:
            problem = "needs mesh.enabled: no machine would get a sidecar of it"
            yield Contradiction(("mesh.revision", "mesh.enabled"), problem)
