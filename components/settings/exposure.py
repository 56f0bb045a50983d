"""The settings of how the web tier is reached from outside the cluster."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import Field
from pydantic.alias_generators import to_camel

from components.settings.model import Contradiction, Model
from components.settings.values import (
    Annotations,
    ExposureKind,
    ExposureKindName,
    HostName,
    LoadBalancerClass,
    NamespaceName,
    NodePort,
    ObjectName,
    ServiceType,
    ServiceTypeName,
    TerminationName,
)

# What only one kind of exposure has.
_OF_ONE_KIND = {
    "class_name": ExposureKind.INGRESS,
    "tls_secret": ExposureKind.INGRESS,
    "gateway": ExposureKind.HTTP_ROUTE,
    "termination": ExposureKind.ROUTE,
}


class WebService(Model):
    """The Service of the web tier."""

    type: ServiceTypeName = Field(
        default=ServiceType.CLUSTER_IP, description="Who it is for: the cluster, whoever reaches a node, or everybody."
    )
    node_port: NodePort | None = Field(
        default=None, description="Port on every node, for NodePort or LoadBalancer; none: the cluster chooses one."
    )
    load_balancer_class: LoadBalancerClass | None = Field(
        default=None, description="Which load balancer; none: the cluster's default."
    )
    annotations: Annotations | None = Field(default=None, description="For the load balancer's controller.")

    def contradictions(self) -> Iterator[Contradiction]:
        """Yield what doesn't go together in the Service."""
        if self.node_port is not None and self.type is ServiceType.CLUSTER_IP:
            problem = "needs web.service.type NodePort or LoadBalancer: a ClusterIP is on no node's port"
            yield Contradiction(("web.service.nodePort", "web.service.type"), problem)
        if self.load_balancer_class is not None and self.type is not ServiceType.LOAD_BALANCER:
            problem = "needs web.service.type LoadBalancer"
            yield Contradiction(("web.service.loadBalancerClass", "web.service.type"), problem)


class Gateway(Model):
    """A Gateway that is there already."""

    name: ObjectName = Field(description="Name of the Gateway.")
    namespace: NamespaceName | None = Field(default=None, description="Its namespace; none: the stack's own.")
    section_name: ObjectName | None = Field(default=None, description="Its listener; none: all that fit.")


class Exposure(Model):
    """What leads requests from outside the cluster to the web tier's Service."""

    kind: ExposureKindName = Field(description="Kind of that object; the cluster has to have it, and what serves it.")
    host: HostName | None = Field(
        default=None, description="Name that it answers to; none: any, or the router's choice."
    )
    class_name: ObjectName | None = Field(
        default=None, description="Ingress: its IngressClass; none: the cluster's default."
    )
    tls_secret: ObjectName | None = Field(
        default=None, description="Ingress: Secret with the certificate for the host; none: plain HTTP."
    )
    gateway: Gateway | None = Field(default=None, description="HTTPRoute: the Gateway that it belongs to.")
    termination: TerminationName | None = Field(
        default=None, description="Route: edge ends TLS at the router; none: plain HTTP."
    )
    annotations: Annotations | None = Field(default=None, description="For the controller that serves it.")

    def contradictions(self) -> Iterator[Contradiction]:
        """Yield what doesn't go together in the exposure."""
        for field, kind in _OF_ONE_KIND.items():
            if field in self.model_fields_set and kind is not self.kind:
                problem = f"is for web.expose.kind {kind}: remove it"
                yield Contradiction((f"web.expose.{to_camel(field)}", "web.expose.kind"), problem)
        if self.kind is ExposureKind.HTTP_ROUTE and self.gateway is None:
            problem = "needs web.expose.gateway: an HTTPRoute without a Gateway leads nowhere"
            yield Contradiction(("web.expose.kind", "web.expose.gateway"), problem)
        if self.kind is ExposureKind.INGRESS and self.tls_secret and not self.host:
            problem = "needs web.expose.host: a certificate is for a name"
            yield Contradiction(("web.expose.tlsSecret", "web.expose.host"), problem)

    @property
    def url(self) -> str | None:
        """The address from outside, where the settings tell it: an HTTPRoute's scheme is its Gateway's matter."""
        if self.host is None or self.kind is ExposureKind.HTTP_ROUTE:
            return None
        return f"{'https' if self.tls_secret or self.termination else 'http'}://{self.host}/"
