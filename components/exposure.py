"""The route for requests from outside the cluster to the web tier: an Ingress, an HTTPRoute, a Route or a Gateway."""

from __future__ import annotations

from typing import Any

import pulumi
import pulumi_kubernetes as kubernetes

from cloudinit.constants import WEB_PORT
from components.mesh_routes import NETWORKING, http_routes
from components.names import TierName
from components.settings import Settings
from components.settings.exposure import Exposure, ExposureKind, Gateway

RESOURCE_NAME = "web-exposure"
# The labels of the gateway that Istio's installation brings.
DEFAULT_GATEWAY = {"istio": "ingressgateway"}


def expose(settings: Settings, exposure: Exposure, metadata: dict[str, Any], opts: pulumi.ResourceOptions) -> None:
    """Declare the object, including what its API would otherwise add. It isn't awaited until a controller serves it.

    Args:
        settings: Settings of the stack.
        exposure: Kind and settings of the object.
        metadata: Name, namespace and labels of the object.
        opts: Options of the resource.
    """
    service = settings.names.service(TierName.WEB)
    annotations = dict(exposure.annotations or {})
    if exposure.kind is ExposureKind.INGRESS:
        # The provider would wait for an address, which not every controller reports.
        metadata = {**metadata, "annotations": {**annotations, "pulumi.com/skipAwait": "true"}}
        kubernetes.networking.v1.Ingress(RESOURCE_NAME, metadata=metadata, spec=_ingress(exposure, service), opts=opts)
        return
    api_version, specification = {
        ExposureKind.HTTP_ROUTE: ("gateway.networking.k8s.io/v1", _http_route(exposure, service)),
        ExposureKind.ROUTE: ("route.openshift.io/v1", _route(exposure, service)),
        ExposureKind.GATEWAY: (NETWORKING, _gateway(exposure)),
    }[exposure.kind]
    made = kubernetes.apiextensions.CustomResource(
        RESOURCE_NAME,
        api_version=api_version,
        kind=str(exposure.kind),
        # An empty map would show as a change in every preview.
        metadata={**metadata, "annotations": annotations} if annotations else metadata,
        spec=specification,
        opts=opts,
    )
    if exposure.kind is ExposureKind.GATEWAY:
        kubernetes.apiextensions.CustomResource(
            f"{RESOURCE_NAME}-routes",
            api_version=NETWORKING,
            kind="VirtualService",
            # The one with the Service's name is that of requests from inside the mesh.
            metadata={**metadata, "name": f"{metadata['name']}-gateway"},
            spec={
                "gateways": [metadata["name"]],
                "hosts": [exposure.host or "*"],
                "http": http_routes(settings, TierName.WEB, WEB_PORT),
            },
            opts=pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(depends_on=[made])),
        )


def _ingress(exposure: Exposure, service: str) -> dict[str, Any]:
    backend = {"service": {"name": service, "port": {"name": "http"}}}
    rule: dict[str, Any] = {"http": {"paths": [{"path": "/", "path_type": "Prefix", "backend": backend}]}}
    specification: dict[str, Any] = {"rules": [{"host": exposure.host, **rule} if exposure.host else rule]}
    if exposure.class_name:
        specification["ingress_class_name"] = exposure.class_name
    if exposure.tls_secret:
        specification["tls"] = [{"hosts": [exposure.host], "secret_name": exposure.tls_secret}]
    return specification


def _http_route(exposure: Exposure, service: str) -> dict[str, Any]:
    specification: dict[str, Any] = {
        "parentRefs": [_parent(exposure.gateway)] if exposure.gateway else [],
        "rules": [
            {
                "matches": [{"path": {"type": "PathPrefix", "value": "/"}}],
                "backendRefs": [{"group": "", "kind": "Service", "name": service, "port": WEB_PORT, "weight": 1}],
            }
        ],
    }
    return {**specification, "hostnames": [exposure.host]} if exposure.host else specification


def _gateway(exposure: Exposure) -> dict[str, Any]:
    hosts = [exposure.host or "*"]
    plain: dict[str, Any] = {"port": {"number": 80, "name": "http", "protocol": "HTTP"}, "hosts": hosts}
    servers = [plain]
    if exposure.tls_secret:
        plain["tls"] = {"httpsRedirect": True}
        certificate = {"mode": "SIMPLE", "credentialName": exposure.tls_secret}
        servers.append(
            {"port": {"number": 443, "name": "https", "protocol": "HTTPS"}, "hosts": hosts, "tls": certificate}
        )
    return {"selector": dict(exposure.selector or DEFAULT_GATEWAY), "servers": servers}


def _parent(gateway: Gateway) -> dict[str, Any]:
    parent = {"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": gateway.name}
    if gateway.namespace:
        parent["namespace"] = gateway.namespace
    return {**parent, "sectionName": gateway.section_name} if gateway.section_name else parent


def _route(exposure: Exposure, service: str) -> dict[str, Any]:
    specification: dict[str, Any] = {
        "to": {"kind": "Service", "name": service, "weight": 100},
        "port": {"targetPort": "http"},
        "wildcardPolicy": "None",
    }
    if exposure.host:
        specification["host"] = exposure.host
    if exposure.termination:
        specification["tls"] = {
            "termination": exposure.termination,
            "insecureEdgeTerminationPolicy": "Redirect",
        }
    return specification
