"""Settings of the service mesh, and of the faults that it injects."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum

from pydantic import Field
from pydantic.alias_generators import to_camel

from components.settings.model import Contradiction, Model
from components.settings.values import Delay, DnsLabel, Percentage


class MutualTls(StrEnum):
    """Modes of mutual TLS in a mesh."""

    STRICT = "STRICT"
    PERMISSIVE = "PERMISSIVE"


class FaultDelay(Model):
    """Requests that the mesh delays."""

    percentage: Percentage = Field(default=100, description="Percentage of the requests.")
    fixed_delay: Delay = Field(description="How long each is delayed.")


class FaultAbort(Model):
    """Requests that the mesh answers in the tier's place."""

    percentage: Percentage = Field(default=100, description="Percentage of the requests.")
    # The range that Envoy accepts.
    http_status: int = Field(ge=200, le=599, description="HTTP status of the answers.")


class Fault(Model):
    """What goes wrong with the requests to a tier."""

    delay: FaultDelay | None = Field(default=None, description="Delayed requests. Defaults to none.")
    abort: FaultAbort | None = Field(
        default=None, description="Requests answered with an error, without the tier. Defaults to none."
    )

    def contradictions(self) -> Iterator[Contradiction]:
        """Yield a fault without a delay or an abort."""
        if self.delay is None and self.abort is None:
            yield Contradiction("", "needs delay or abort")


class FaultSettings(Model):
    """Faults by the tier that the requests are for. Only HTTP can have them, so the database can't."""

    web: Fault | None = Field(
        default=None, description="Faults of requests from the mesh or from Istio's gateway. Defaults to none."
    )
    application: Fault | None = Field(default=None, description="Faults of nginx's requests. Defaults to none.")


class MeshSettings(Model):
    """The cluster's Istio service mesh."""

    enabled: bool = Field(default=False, description="Whether the machines get sidecars of the cluster's Istio.")
    revision: DnsLabel | None = Field(
        default=None, description="Revision or revision tag of Istio. Defaults to the default revision."
    )
    mutual_tls: MutualTls | None = Field(
        default=None,
        description="Whether the tiers accept only mutual TLS (STRICT) or plain connections too (PERMISSIVE). The load "
        "agent and exporters accept plain ones either way. Defaults to the mesh's setting.",
    )
    authorization: bool = Field(
        default=False,
        description="Whether AuthorizationPolicies allow only the service account of the tier in front to connect to "
        "a tier, and the clients of networkPolicies.",
    )

    faults: FaultSettings = Field(default=FaultSettings(), description="Faults that the mesh injects.")

    def contradictions(self) -> Iterator[Contradiction]:
        """Yield settings of a mesh that is off."""
        if not self.enabled:
            for name in sorted(self.model_fields_set - {"enabled"}):
                yield Contradiction(
                    to_camel(name), "has no effect while enabled is false: set it to true, or remove this"
                )
