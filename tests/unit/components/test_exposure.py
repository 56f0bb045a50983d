"""Access to the web tier from outside the cluster."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.components.mocks import BALANCER, Deployment, deploy

KINDS: dict[str, dict[str, Any]] = {
    "Ingress": {"kind": "Ingress"},
    "HTTPRoute": {"kind": "HTTPRoute", "gateway": {"name": "public"}},
    "Route": {"kind": "Route"},
    "Gateway": {"kind": "Gateway"},
}


def exposed(**exposure: Any) -> Deployment:
    return deploy({"web": {"expose": exposure}})


def service(**settings: Any) -> dict[str, Any]:
    """Return the inputs of the web Service."""
    return deploy({"web": {"service": settings}}).object("Service", "multi-tier-web").inputs


def test_by_default_the_service_is_internal_to_the_cluster() -> None:
    assert service()["spec"]["type"] == "ClusterIP"
    assert not [one for kind in KINDS for one in deploy().of_kind(kind)]
    assert "externalUrl" not in deploy().outputs


def test_a_node_port_is_assigned_to_the_http_port_only() -> None:
    deployment = deploy({"web": {"service": {"type": "NodePort", "nodePort": 30080}}, "metrics": {"enabled": True}})
    specification = deployment.object("Service", "multi-tier-web").inputs["spec"]

    assert specification["type"] == "NodePort"
    assert {port["name"]: port.get("nodePort") for port in specification["ports"]} == {
        "http": 30080,
        "metrics": None,
        "node-metrics": None,
    }


def test_the_other_services_stay_internal_to_the_cluster() -> None:
    deployment = deploy({"web": {"service": {"type": "LoadBalancer"}}})

    for name in ("database", "application", "load"):
        assert deployment.object("Service", f"multi-tier-{name}").inputs["spec"]["type"] == "ClusterIP"


def test_a_load_balancer_has_the_class_and_annotations_in_the_settings() -> None:
    made = service(
        type="LoadBalancer", loadBalancerClass="example.com/internal", annotations={"example.com/pool": "lab"}
    )

    assert made["spec"]["loadBalancerClass"] == "example.com/internal"
    assert made["metadata"]["annotations"]["example.com/pool"] == "lab"


def test_a_changed_class_replaces_the_service_after_the_old_one_is_deleted() -> None:
    request = deploy().object("Service", "multi-tier-web").request

    assert list(request.replaceOnChanges) == ["spec.loadBalancerClass"], "the API server refuses to change it"
    assert request.deleteBeforeReplace, "both have the same name"


def test_annotations_that_pulumi_config_stores_as_numbers_and_booleans_are_text() -> None:
    made = service(type="LoadBalancer", annotations={"example.com/internal": True, "example.com/idle": 60})

    assert made["metadata"]["annotations"].items() >= {"example.com/internal": "true", "example.com/idle": "60"}.items()


def test_the_address_of_a_load_balancer_is_awaited_and_an_output() -> None:
    config = {"web": {"service": {"type": "LoadBalancer"}}}

    annotations = deploy(config).object("Service", "multi-tier-web").inputs["metadata"]["annotations"]
    assert annotations == {"pulumi.com/waitFor": "jsonpath={.status.loadBalancer.ingress}"}
    assert deploy(config).outputs["externalUrl"] == f"http://{BALANCER}/"


def test_a_preview_has_no_address_yet() -> None:
    outputs = deploy({"web": {"service": {"type": "LoadBalancer"}}}, preview=True).outputs

    assert BALANCER not in str(outputs)


@pytest.mark.parametrize("kind", KINDS)
def test_one_object_is_created_after_the_service(kind: str) -> None:
    deployment = exposed(**KINDS[kind])
    (made,) = (one for each in KINDS for one in deployment.of_kind(each))

    assert (made.kind, made.object_name) == (kind, "multi-tier-web")
    assert made.depends_on >= {deployment.object("Service", "multi-tier-web").urn}
    assert made.parent == deployment.component("web").urn


def test_an_ingress_routes_all_paths_of_its_host_to_the_named_port() -> None:
    made = exposed(kind="Ingress", host="shop.example.com", className="nginx", tlsSecret="shop-tls").object(
        "Ingress", "multi-tier-web"
    )

    backend = {"service": {"name": "multi-tier-web", "port": {"name": "http"}}}
    assert made.inputs["spec"] == {
        "ingressClassName": "nginx",
        "rules": [
            {
                "host": "shop.example.com",
                "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]},
            }
        ],
        "tls": [{"hosts": ["shop.example.com"], "secretName": "shop-tls"}],
    }
    assert made.inputs["metadata"]["annotations"] == {"pulumi.com/skipAwait": "true"}


def test_an_http_route_attaches_to_a_listener_of_the_gateway() -> None:
    gateway = {"name": "public", "namespace": "gateways", "sectionName": "web"}
    made = exposed(kind="HTTPRoute", host="shop.example.com", gateway=gateway).object("HTTPRoute", "multi-tier-web")

    assert made.inputs["apiVersion"] == "gateway.networking.k8s.io/v1"
    assert made.inputs["spec"]["parentRefs"] == [{"group": "gateway.networking.k8s.io", "kind": "Gateway", **gateway}]
    assert made.inputs["spec"]["hostnames"] == ["shop.example.com"]
    (rule,) = made.inputs["spec"]["rules"]
    assert rule["backendRefs"] == [{"group": "", "kind": "Service", "name": "multi-tier-web", "port": 80, "weight": 1}]
    assert "annotations" not in made.inputs["metadata"], "an empty map would show as a change in every preview"


def test_a_route_terminates_tls_at_the_router_and_redirects_to_it() -> None:
    made = exposed(kind="Route", host="shop.apps.example.com", termination="edge").object("Route", "multi-tier-web")

    assert made.inputs["apiVersion"] == "route.openshift.io/v1"
    assert made.inputs["spec"] == {
        "host": "shop.apps.example.com",
        "to": {"kind": "Service", "name": "multi-tier-web", "weight": 100},
        "port": {"targetPort": "http"},
        "tls": {"termination": "edge", "insecureEdgeTerminationPolicy": "Redirect"},
        "wildcardPolicy": "None",
    }


def test_a_gateway_redirects_to_its_host_with_tls() -> None:
    deployment = exposed(kind="Gateway", host="shop.example.com", tlsSecret="shop-tls", selector={"gateway": "public"})

    assert deployment.spec("Gateway", "multi-tier-web") == {
        "selector": {"gateway": "public"},
        "servers": [
            {
                "port": {"number": 80, "name": "http", "protocol": "HTTP"},
                "hosts": ["shop.example.com"],
                "tls": {"httpsRedirect": True},
            },
            {
                "port": {"number": 443, "name": "https", "protocol": "HTTPS"},
                "hosts": ["shop.example.com"],
                "tls": {"mode": "SIMPLE", "credentialName": "shop-tls"},
            },
        ],
    }


def test_a_gateway_without_a_host_serves_all_by_the_pods_of_istios_own() -> None:
    specification = exposed(kind="Gateway").spec("Gateway", "multi-tier-web")

    assert specification["selector"] == {"istio": "ingressgateway"}
    (server,) = specification["servers"]
    assert server == {"port": {"number": 80, "name": "http", "protocol": "HTTP"}, "hosts": ["*"]}


def test_requests_through_a_gateway_reach_the_web_tier_and_have_its_faults() -> None:
    fault = {"abort": {"httpStatus": 503}}
    deployment = deploy({"web": {"expose": {"kind": "Gateway"}}, "mesh": {"enabled": True, "faults": {"web": fault}}})
    through = deployment.spec("VirtualService", "multi-tier-web-gateway")
    inside = deployment.spec("VirtualService", "multi-tier-web")

    assert through["gateways"] == ["multi-tier-web"]
    assert through["hosts"] == ["*"]
    (route,) = through["http"]
    assert route["fault"] == inside["http"][0]["fault"]
    # With several ports, Istio would take the gateway's for the Service's.
    assert route["route"] == [
        {"destination": {"host": "multi-tier-web.multi-tier.svc.cluster.local", "port": {"number": 80}}}
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_annotations_are_passed_on_to_the_controller(kind: str) -> None:
    made = exposed(**KINDS[kind], annotations={"cert-manager.io/cluster-issuer": "letsencrypt"})

    annotations = made.object(kind, "multi-tier-web").inputs["metadata"]["annotations"]
    assert annotations["cert-manager.io/cluster-issuer"] == "letsencrypt"


@pytest.mark.parametrize(
    ("exposure", "url"),
    [
        ({"kind": "Ingress", "host": "shop.example.com"}, "http://shop.example.com/"),
        ({"kind": "Ingress", "host": "shop.example.com", "tlsSecret": "a"}, "https://shop.example.com/"),
        ({"kind": "Route", "host": "shop.example.com", "termination": "edge"}, "https://shop.example.com/"),
        ({"kind": "Route", "host": "shop.example.com"}, "http://shop.example.com/"),
        ({"kind": "Gateway", "host": "shop.example.com"}, "http://shop.example.com/"),
        ({"kind": "Gateway", "host": "shop.example.com", "tlsSecret": "a"}, "https://shop.example.com/"),
        ({"kind": "Ingress"}, None),
        ({"kind": "Gateway"}, None),
        ({"kind": "Route", "termination": "edge"}, None),
        ({**KINDS["HTTPRoute"], "host": "shop.example.com"}, None),
    ],
)
def test_the_url_from_outside_is_an_output_if_it_is_known(exposure: dict[str, Any], url: str | None) -> None:
    assert exposed(**exposure).outputs.get("externalUrl") == url
