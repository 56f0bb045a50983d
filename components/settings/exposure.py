"""Settings of how the web tier is reached from outside the cluster."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field
from pydantic.alias_generators import to_camel

from components.settings.model import Contradiction, Model
from components.settings.values import (
    LABEL,
    Annotations,
    LabelValue,
    NamespaceName,
    ObjectName,
    QualifiedName,
    allowing,
    pattern,
)


class ServiceType(StrEnum):
    """How a Service is reached."""

    CLUSTER_IP = "ClusterIP"
    NODE_PORT = "NodePort"
    LOAD_BALANCER = "LoadBalancer"


class ExposureKind(StrEnum):
    """Kinds of objects that route requests from outside the cluster to a Service."""

    INGRESS = "Ingress"
    HTTP_ROUTE = "HTTPRoute"
    ROUTE = "Route"
    GATEWAY = "Gateway"


_ONLY_FOR = {
    "class_name": [ExposureKind.INGRESS],
    "tls_secret": [ExposureKind.INGRESS, ExposureKind.GATEWAY],
    "gateway": [ExposureKind.HTTP_ROUTE],
    "termination": [ExposureKind.ROUTE],
    "selector": [ExposureKind.GATEWAY],
}


GatewayPods = Annotated[
    dict[QualifiedName, LabelValue],
    Field(min_length=1),
    allowing('a mapping of at least one label to its value, such as {"istio": "ingressgateway"}'),
]
HostName = Annotated[
    str,
    # The last label starts with a letter, so that an IP address is refused.
    pattern(rf"({LABEL}\.)*[a-z]([a-z0-9-]{{0,61}}[a-z0-9])?"),
    Field(max_length=253),
    allowing('a DNS name such as "shop.example.com"'),
]


class WebService(Model):
    """The Service of the web tier."""

    type: ServiceType = Field(
        default=ServiceType.CLUSTER_IP,
        description="Who can connect: ClusterIP, clients in the cluster; NodePort, clients that reach a node; "
        "LoadBalancer, clients of a load balancer.",
    )
    # The API server's default --service-node-port-range.
    node_port: int | None = Field(
        default=None,
        ge=30_000,
        le=32_767,
        description="Port on every node, for NodePort or LoadBalancer. Defaults to one that the cluster allocates.",
    )
    load_balancer_class: QualifiedName | None = Field(
        default=None, description="Class of the load balancer. Defaults to the cluster's default load balancer."
    )
    annotations: Annotations | None = Field(
        default=None, description="Annotations for the load balancer's controller. Defaults to no annotations."
    )

    def contradictions(self) -> Iterator[Contradiction]:
        """Yield values that the type of the Service excludes."""
        if self.node_port is not None and self.type is ServiceType.CLUSTER_IP:
            yield Contradiction("nodePort", "needs type NodePort or LoadBalancer: a ClusterIP has no port on the nodes")
        if self.load_balancer_class is not None and self.type is not ServiceType.LOAD_BALANCER:
            yield Contradiction("loadBalancerClass", "needs type LoadBalancer")


class Gateway(Model):
    """An existing Gateway of Gateway API."""

    name: ObjectName = Field(description="Name of the Gateway.")
    namespace: NamespaceName | None = Field(
        default=None, description="Namespace of the Gateway. Defaults to the stack's namespace."
    )
    section_name: ObjectName | None = Field(
        default=None, description="Listener of the Gateway. Defaults to every listener that matches."
    )


class Exposure(Model):
    """An object that routes requests from outside the cluster to the web tier's Service."""

    kind: ExposureKind = Field(
        description="Kind of the object; Gateway is Istio's, with a VirtualService. The cluster needs that kind, "
        "and its controller."
    )
    host: HostName | None = Field(
        default=None, description="Host name to serve. Defaults to any host, or the one that the router assigns."
    )
    class_name: ObjectName | None = Field(
        default=None, description="Ingress only: IngressClass. Defaults to the cluster's default IngressClass."
    )
    tls_secret: ObjectName | None = Field(
        default=None,
        description="Ingress or Gateway: Secret with the certificate of the host; for a Gateway, in the namespace of "
        "Istio's gateway. Defaults to plain HTTP.",
    )
    gateway: Gateway | None = Field(default=None, description="HTTPRoute only: the Gateway to attach to.")
    selector: GatewayPods | None = Field(
        default=None,
        description="Gateway only: labels of the Pods of Istio's gateway. Defaults to istio: ingressgateway.",
    )
    termination: Literal["edge"] | None = Field(
        default=None, description="Route only: edge terminates TLS at the router. Defaults to plain HTTP."
    )
    annotations: Annotations | None = Field(
        default=None, description="Annotations for the object's controller. Defaults to no annotations."
    )

    def contradictions(self) -> Iterator[Contradiction]:
        """Yield values that the kind of the object excludes or requires."""
        for name, kinds in _ONLY_FOR.items():
            if name in self.model_fields_set and self.kind not in kinds:
                yield Contradiction(to_camel(name), f"only applies to kind {' or '.join(kinds)}: remove it")
        if self.kind is ExposureKind.HTTP_ROUTE and self.gateway is None:
            yield Contradiction("kind", "needs gateway: without a Gateway, no request reaches an HTTPRoute")
        if self.tls_secret and self.kind in _ONLY_FOR["tls_secret"] and not self.host:
            yield Contradiction("tlsSecret", "needs host: a certificate is issued for a host name")

    @property
    def url(self) -> str | None:
        """The URL from outside, if the settings determine it; the Gateway decides the scheme of an HTTPRoute."""
        if self.host is None or self.kind is ExposureKind.HTTP_ROUTE:
            return None
        return f"{'https' if self.tls_secret or self.termination else 'http'}://{self.host}/"
