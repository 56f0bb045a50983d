"""Mistakes in who may connect, and how, are told in one clear line each."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.components.settings.test_settings_refusals import refusal_of

PEERS = 'must be a list of namespaces and address ranges, such as ["monitoring", "10.0.0.0/8"]'
POLICIES = "networkPolicies"
ANNOTATIONS = 'must be a mapping of annotations, such as {"example.com/pool": "lab"}'
GATEWAY = {"name": "public"}


def service(**settings: Any) -> dict[str, Any]:
    return {"web": {"service": settings}}


def expose(**settings: Any) -> dict[str, Any]:
    return {"web": {"expose": settings}}


MISTAKES: list[tuple[dict[str, Any], str]] = [
    ({POLICIES: {"enabled": "no"}}, 'networkPolicies.enabled: "no" must be true or false'),
    ({POLICIES: {"webFrom": "ingress-nginx"}}, f'networkPolicies.webFrom: "ingress-nginx" {PEERS}'),
    ({POLICIES: {"webFrom": [7]}}, f"networkPolicies.webFrom: {PEERS}; 7 is neither"),
    ({POLICIES: {"loadFrom": ["10.0.0.1"]}}, f'networkPolicies.loadFrom: {PEERS}; "10.0.0.1" is neither'),
    ({POLICIES: {"loadFrom": ["10.0.0.1/8"]}}, f'networkPolicies.loadFrom: {PEERS}; "10.0.0.1/8" is neither'),
    ({POLICIES: {"webFrom": ["Ingress"]}}, f'networkPolicies.webFrom: {PEERS}; "Ingress" is neither'),
    ({POLICIES: {"webFrom": ["a", "a"]}}, f"networkPolicies.webFrom: {PEERS}, and each of them once"),
    (
        {POLICIES: {"metricFrom": []}},
        "networkPolicies.metricFrom: is unknown; did you mean metricsFrom?",
    ),
    (
        {POLICIES: {"enabled": False, "webFrom": []}},
        "networkPolicies.webFrom: needs networkPolicies.enabled: nobody would be kept out",
    ),
    (
        {POLICIES: {"metricsFrom": ["monitoring"]}},
        "networkPolicies.metricsFrom: needs metrics.enabled: there would be nothing to scrape",
    ),
    (
        {POLICIES: {"loadFrom": []}, "load": {"enabled": False}},
        "networkPolicies.loadFrom: has nobody's figures to guard while load.enabled is false: "
        "remove it, or generate load",
    ),
    ({"mesh": {"enabled": "istio"}}, 'mesh.enabled: "istio" must be true or false'),
    (
        {"mesh": {"revision": "canary"}},
        'mesh.revision: "canary" needs mesh.enabled: no machine would get a sidecar of it',
    ),
    (
        {"mesh": {"enabled": True, "revision": "1.28 canary"}},
        'mesh.revision: "1.28 canary" must be the name of a Kubernetes object: a-z, 0-9, - and .',
    ),
    (service(type="Balancer"), 'web.service.type: "Balancer" must be ClusterIP, NodePort or LoadBalancer'),
    (service(type="clusterip"), 'web.service.type: "clusterip" must be ClusterIP, NodePort or LoadBalancer'),
    (
        service(type="NodePort", nodePort=80),
        "web.service.nodePort: 80 must be a whole number from 30,000 to 32,767",
    ),
    (
        service(nodePort=30080),
        "web.service.nodePort: 30080 needs web.service.type NodePort or LoadBalancer: a ClusterIP is on no node's port",
    ),
    (
        service(type="NodePort", loadBalancerClass="example.com/internal"),
        'web.service.loadBalancerClass: "example.com/internal" needs web.service.type LoadBalancer',
    ),
    (
        service(type="LoadBalancer", loadBalancerClass="a/b/c"),
        'web.service.loadBalancerClass: "a/b/c" must be the class of a load balancer such as "example.com/internal"',
    ),
    (service(annotations={}), f"web.service.annotations: {ANNOTATIONS}, with at least one of them"),
    (service(annotations=["a"]), f"web.service.annotations: {ANNOTATIONS}"),
    (service(annotations={"a b": "c"}), f'web.service.annotations: {ANNOTATIONS}; "a b" is no annotation\'s name'),
    (service(annotations={"a": ["b"]}), f'web.service.annotations: {ANNOTATIONS}; "a" needs a text'),
    (service(port=8080), "web.service.port: is unknown; did you mean nodePort?"),
    (expose(host="shop.example.com"), "web.expose.kind: is missing"),
    (expose(kind="Gateway"), 'web.expose.kind: "Gateway" must be Ingress, HTTPRoute or Route'),
    (
        expose(kind="Ingress", host="10.0.0.1"),
        'web.expose.host: "10.0.0.1" must be a DNS name such as "shop.example.com"',
    ),
    (
        expose(kind="Ingress", host="https://shop.example.com"),
        'web.expose.host: "https://shop.example.com" must be a DNS name such as "shop.example.com"',
    ),
    (
        expose(kind="HTTPRoute"),
        'web.expose.kind: "HTTPRoute" needs web.expose.gateway: an HTTPRoute without a Gateway leads nowhere',
    ),
    (expose(kind="HTTPRoute", gateway={"namespace": "a"}), "web.expose.gateway.name: is missing"),
    (expose(kind="Route", gateway=GATEWAY), "web.expose.gateway: is for web.expose.kind HTTPRoute: remove it"),
    (
        expose(kind="Route", className="nginx"),
        'web.expose.className: "nginx" is for web.expose.kind Ingress: remove it',
    ),
    (expose(kind="Route", termination="passthrough"), 'web.expose.termination: "passthrough" must be edge'),
    (
        expose(kind="Ingress", termination="edge"),
        'web.expose.termination: "edge" is for web.expose.kind Route: remove it',
    ),
    (
        expose(kind="HTTPRoute", gateway=GATEWAY, tlsSecret="tls"),
        'web.expose.tlsSecret: "tls" is for web.expose.kind Ingress: remove it',
    ),
    (
        expose(kind="Ingress", tlsSecret="tls"),
        'web.expose.tlsSecret: "tls" needs web.expose.host: a certificate is for a name',
    ),
    (
        expose(kind="HTTPRoute", gateway={"name": "Public"}),
        'web.expose.gateway.name: "Public" must be the name of a Kubernetes object: a-z, 0-9, - and .',
    ),
]


@pytest.mark.parametrize(("config", "line"), MISTAKES, ids=[line.split(" ")[0] for _, line in MISTAKES])
def test_a_mistake_is_told_in_exactly_one_line(config: dict[str, Any], line: str) -> None:
    head, *lines = refusal_of(config).split("\n  ")

    assert head == "The stack's configuration has a mistake; nothing was changed."
    assert lines == [f"multi-tier:{line}"]
