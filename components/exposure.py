"""The route for requests from outside the cluster to the web tier: an Ingress, an HTTPRoute or a Route."""

from __future__ import annotations

from typing import Any

import pulumi
import pulumi_kubernetes as kubernetes

from components.settings.exposure import Exposure, ExposureKind, Gateway

RESOURCE_NAME = "web-exposure"


def expose(
    exposure: Exposure, metadata: dict[str, Any], service: str, port: int, opts: pulumi.ResourceOptions
) -> pulumi.Resource:
    """Declare the object, including what its API would otherwise add. It isn't awaited until a controller serves it.

    Args:
        exposure: Kind and settings of the object.
        metadata: Name, namespace and labels of the object.
        service: Name of the Service to route requests to.
        port: Port `http` of the Service.
        opts: Options of the resource.
    """
    annotations = dict(exposure.annotations or {})
    if exposure.kind is ExposureKind.INGRESS:
        # The provider would wait for an address, which not every controller reports.
        metadata = {**metadata, "annotations": {**annotations, "pulumi.com/skipAwait": "true"}}
        return kubernetes.networking.v1.Ingress(
            RESOURCE_NAME, metadata=metadata, spec=_ingress(exposure, service), opts=opts
        )
    api_version, specification = (
        ("gateway.networking.k8s.io/v1", _http_route(exposure, service, port))
        if exposure.kind is ExposureKind.HTTP_ROUTE
        else ("route.openshift.io/v1", _route(exposure, service))
    )
    return kubernetes.apiextensions.CustomResource(
        RESOURCE_NAME,
        api_version=api_version,
        kind=str(exposure.kind),
        # An empty map would show as a change in every preview.
        metadata={**metadata, "annotations": annotations} if annotations else metadata,
        spec=specification,
        opts=opts,
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


def _http_route(exposure: Exposure, service: str, port: int) -> dict[str, Any]:
    specification: dict[str, Any] = {
        "parentRefs": [_parent(exposure.gateway)] if exposure.gateway else [],
        "rules": [
            {
                "matches": [{"path": {"type": "PathPrefix", "value": "/"}}],
                "backendRefs": [{"group": "", "kind": "Service", "name": service, "port": port, "weight": 1}],
            }
        ],
    }
    return {**specification, "hostnames": [exposure.host]} if exposure.host else specification


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
