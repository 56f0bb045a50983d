"""Settings of the web Service, and of the route from outside the cluster."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.components.settings.refused import named, refusals

ANNOTATIONS = 'must be a mapping of at least one annotation, such as {"example.com/pool": "lab"}'
HOST_NAME = 'must be a DNS name such as "shop.example.com"'
GATEWAY = {"name": "public"}

SERVICES: list[tuple[dict[str, Any], str]] = [
    ({"type": "clusterip"}, 'type: "clusterip" must be ClusterIP, NodePort or LoadBalancer'),
    ({"type": "NodePort", "nodePort": 80}, "nodePort: 80 must be a whole number from 30,000 to 32,767"),
    (
        {"nodePort": 30080},
        "nodePort: 30080 needs type NodePort or LoadBalancer: a ClusterIP has no port on the nodes",
    ),
    ({"loadBalancerClass": "example.com/a"}, 'loadBalancerClass: "example.com/a" needs type LoadBalancer'),
    ({"annotations": {}}, f"annotations: {ANNOTATIONS}"),
    ({"annotations": {"a b": "c"}}, 'annotations: "a b" must be a qualified name such as "example.com/internal"'),
    ({"annotations": {"a": ["b"]}}, "annotations.a: must be text"),
]

EXPOSURES: list[tuple[dict[str, Any], str]] = [
    ({"host": "shop.example.com"}, "kind: is missing"),
    ({"kind": "Ingress", "host": "10.0.0.1"}, f'host: "10.0.0.1" {HOST_NAME}'),
    ({"kind": "Route", "termination": "passthrough"}, 'termination: "passthrough" must be edge'),
    ({"kind": "HTTPRoute", "gateway": {"namespace": "a"}}, "gateway.name: is missing"),
    (
        {"kind": "HTTPRoute"},
        'kind: "HTTPRoute" needs gateway: without a Gateway, no request reaches an HTTPRoute',
    ),
    ({"kind": "Route", "gateway": GATEWAY}, "gateway: only applies to kind HTTPRoute: remove it"),
    ({"kind": "Route", "className": "nginx"}, 'className: "nginx" only applies to kind Ingress: remove it'),
    ({"kind": "Ingress", "termination": "edge"}, 'termination: "edge" only applies to kind Route: remove it'),
    ({"kind": "Route", "tlsSecret": "a"}, 'tlsSecret: "a" only applies to kind Ingress or Gateway: remove it'),
    ({"kind": "Ingress", "selector": {"a": "b"}}, "selector: only applies to kind Gateway: remove it"),
    (
        {"kind": "Gateway", "selector": {}},
        'selector: must be a mapping of at least one label to its value, such as {"istio": "ingressgateway"}',
    ),
    ({"kind": "Gateway", "tlsSecret": "tls"}, 'tlsSecret: "tls" needs host: a certificate is issued for a host name'),
    ({"kind": "Ingress", "tlsSecret": "tls"}, 'tlsSecret: "tls" needs host: a certificate is issued for a host name'),
]


@pytest.mark.parametrize(("service", "line"), named(SERVICES))
def test_a_mistake_about_the_service_is_reported_in_one_line(service: dict[str, Any], line: str) -> None:
    assert refusals({"web": {"service": service}}) == [f"web.service.{line}"]


@pytest.mark.parametrize(("exposure", "line"), named(EXPOSURES))
def test_a_mistake_about_the_exposure_is_reported_in_one_line(exposure: dict[str, Any], line: str) -> None:
    assert refusals({"web": {"expose": exposure}}) == [f"web.expose.{line}"]
