"""NetworkPolicies that allow only the tier in front of a tier to connect to it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import pulumi
import pulumi_kubernetes as kubernetes

from components.access import EVERY_NAMESPACE, Access, Client, Rule, access, scrapers
from components.mesh import TELEMETRY_PORTS
from components.names import TierName
from components.settings import Settings
from components.tier import Tier

SSH_PORT = 22
NAMESPACE_LABEL = "kubernetes.io/metadata.name"
# `virtctl ssh` connects from virt-api's Pods (pkg/virt-api/rest/dialers.go in KubeVirt). The namespaces are those of
# upstream KubeVirt, the hyperconverged operator and OpenShift Virtualization. RBAC controls who can use it.
KUBEVIRT_NAMESPACES = ("kubevirt", "kubevirt-hyperconverged", "openshift-cnv")

Manifest = dict[str, Any]


class NetworkPolicies(pulumi.ComponentResource):
    """A policy that denies all ingress to the stack's machines, and one per tier that allows its clients.

    They select only the stack's Pods, so other Pods in the namespace aren't affected. Egress is not restricted. A
    network plugin without policy support ignores them.
    """

    def __init__(
        self, settings: Settings, tiers: Sequence[type[Tier]], opts: pulumi.ResourceOptions | None = None
    ) -> None:
        names = settings.names
        super().__init__("multi-tier:components:NetworkPolicies", names.resource("network-policies"), None, opts)
        self._settings = settings
        self._policy("isolation", Access("network", names.isolation, names.pods(), ()), list(self._everywhere()))
        for one in access(settings, tiers):
            self._policy(one.component, one, [self._rule(rule) for rule in one.rules])
        self.register_outputs({})

    def _policy(self, resource_name: str, selected: Access, ingress: list[Manifest]) -> None:
        names = self._settings.names
        spec: Manifest = {"pod_selector": {"match_labels": dict(selected.pods)}, "policy_types": ["Ingress"]}
        metadata = {
            "name": selected.name,
            "namespace": names.namespace,
            "labels": names.labels(selected.component),
        }
        kubernetes.networking.v1.NetworkPolicy(
            names.resource(f"{resource_name}-policy"),
            metadata=metadata,
            # No rules deny all ingress; an empty list would show as a change in every preview.
            spec={**spec, "ingress": ingress} if ingress else spec,
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _everywhere(self) -> Iterator[Manifest]:
        """Yield what is allowed to every machine: what no sidecar sees, so that a mesh needs no rule for it."""
        yield {"from": [_virt_api()], "ports": _ports([SSH_PORT])}
        telemetry = Rule(scrapers(self._settings), TELEMETRY_PORTS)
        if self._settings.mesh.enabled and telemetry.clients:
            yield self._rule(telemetry)

    def _rule(self, rule: Rule) -> Manifest:
        """Return a rule as in a NetworkPolicy.

        A rule for everyone has no `from`. A range of all addresses would not do: for Cilium, such a range contains
        neither Pods nor nodes, and the API server's proxy connects from a node.
        """
        open_ports = {"ports": _ports(rule.ports)}
        return open_ports if rule.clients is None else {"from": self._peers(rule.clients), **open_ports}

    def _peers(self, clients: Sequence[Client]) -> list[Manifest]:
        if EVERY_NAMESPACE in clients:
            # Every namespace has this label. An empty selector would mean the same, but show as a change in every
            # preview.
            return [{"namespaceSelector": {"matchExpressions": [{"key": NAMESPACE_LABEL, "operator": "Exists"}]}}]
        tiers = [client for client in clients if isinstance(client, TierName)]
        others = [client for client in clients if not isinstance(client, TierName)]
        namespaces = [peer for peer in others if "/" not in peer]
        selected = {"matchExpressions": [{"key": NAMESPACE_LABEL, "operator": "In", "values": namespaces}]}
        return [
            *({"podSelector": {"matchLabels": self._settings.names.pods(tier)}} for tier in tiers),
            *([{"namespaceSelector": selected}] if namespaces else []),
            *({"ipBlock": {"cidr": peer}} for peer in others if "/" in peer),
        ]


def _ports(ports: Iterable[int]) -> list[Manifest]:
    return [{"port": port, "protocol": "TCP"} for port in ports]


def _virt_api() -> Manifest:
    namespaces = {"key": NAMESPACE_LABEL, "operator": "In", "values": list(KUBEVIRT_NAMESPACES)}
    selector = {"matchExpressions": [namespaces]}
    return {"namespaceSelector": selector, "podSelector": {"matchLabels": {"kubevirt.io": "virt-api"}}}
