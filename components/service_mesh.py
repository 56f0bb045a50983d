"""What a stack declares in an Istio service mesh: what its tiers may do, and how requests are routed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pulumi
import pulumi_kubernetes as kubernetes

from cloudinit.constants import LOAD_AGENT_PORT, NODE_METRICS_PORT
from components.access import EVERY_NAMESPACE, Access, Client, Rule, access
from components.load import Load
from components.mesh_routes import NETWORKING, destination_rule, virtual_service
from components.names import Names, TierName
from components.settings import Settings
from components.tier import Tier

SECURITY = "security.istio.io/v1"

Manifest = dict[str, Any]


class ServiceMesh(pulumi.ComponentResource):
    """The policies that the settings ask for, which have effect on machines that exist.

    The mesh derives identities from the tiers' accounts.
    """

    def __init__(
        self, settings: Settings, tiers: Sequence[type[Tier]], opts: pulumi.ResourceOptions | None = None
    ) -> None:
        self._names = settings.names
        super().__init__("multi-tier:components:ServiceMesh", self._names.resource("service-mesh"), None, opts)
        if settings.mesh.mutual_tls:
            carriers: list[type[Tier]] = [*tiers, *([Load] if settings.load.count else [])]
            for component in carriers:
                specification = peer_authentication(settings, component)
                self._object("PeerAuthentication", component.tier, SECURITY, specification)
        if settings.mesh.authorization:
            for allowed in access(settings, tiers):
                specification = authorization_policy(settings.names, allowed)
                self._object("AuthorizationPolicy", allowed.component, SECURITY, specification)
        for component in tiers:
            routing = {
                "DestinationRule": destination_rule(settings, component.tier),
                "VirtualService": virtual_service(settings, component.tier),
            }
            for kind, wanted in routing.items():
                if wanted:
                    self._object(kind, component.tier, NETWORKING, wanted)
        self.register_outputs({})

    def _object(self, kind: str, component: str, api_version: str, specification: Manifest) -> None:
        kubernetes.apiextensions.CustomResource(
            self._names.resource(f"{component}-{kind.lower()}"),
            api_version=api_version,
            kind=kind,
            metadata=self._metadata(component, f"{self._names.name}-{component}"),
            spec=specification,
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _metadata(self, component: str, name: str) -> Manifest:
        return {"name": name, "namespace": self._names.namespace, "labels": self._names.labels(component)}


def peer_authentication(settings: Settings, component: type[Tier]) -> Manifest:
    """Return the mode of a tier. The ports that the API server and Prometheus read accept plain connections too."""
    plain = {LOAD_AGENT_PORT} if settings.load.enabled and component.tier is settings.load.tier else set()
    if settings.metrics.enabled:
        plain |= {component.endpoint.metrics_port, NODE_METRICS_PORT}
    specification: Manifest = {
        "selector": {"matchLabels": settings.names.pods(component.tier)},
        "mtls": {"mode": str(settings.mesh.mutual_tls)},
    }
    ports = {str(port): {"mode": "PERMISSIVE"} for port in sorted(plain)}
    return {**specification, "portLevelMtls": ports} if ports else specification


def authorization_policy(names: Names, allowed: Access) -> Manifest:
    """Return the policy that allows this access and no other. Without rules, it allows nothing."""
    specification: Manifest = {"selector": {"matchLabels": dict(allowed.pods)}, "action": "ALLOW"}
    rules = [_rule(names, rule) for rule in allowed.rules]
    return {**specification, "rules": rules} if rules else specification


def _rule(names: Names, rule: Rule) -> Manifest:
    opened = {"to": [{"operation": {"ports": [str(port) for port in rule.ports]}}]}
    # Who scrapes from every namespace needs no identity: an ordinary Prometheus has none.
    if rule.clients is None or EVERY_NAMESPACE in rule.clients:
        return opened
    return {"from": [{"source": source} for source in _sources(names, rule.clients)], **opened}


def _sources(names: Names, clients: Sequence[Client]) -> Iterator[Mapping[str, Sequence[str]]]:
    """Yield the sources of a rule, of which one has to match."""
    tiers = [client for client in clients if isinstance(client, TierName)]
    others = [client for client in clients if not isinstance(client, TierName)]
    found = {
        # Istio replaces this trust domain with the mesh's own.
        "principals": [f"cluster.local/ns/{names.namespace}/sa/{names.service_account(tier)}" for tier in tiers],
        "namespaces": [peer for peer in others if "/" not in peer],
        "ipBlocks": [peer for peer in others if "/" in peer],
    }
    yield from ({key: values} for key, values in found.items() if values)
