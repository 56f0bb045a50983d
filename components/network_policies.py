"""NetworkPolicies that allow only the tier in front of a tier to connect to it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pulumi
import pulumi_kubernetes as kubernetes

from cloudinit.constants import LOAD_AGENT_PORT, NODE_METRICS_PORT
from components.mesh import TELEMETRY_PORTS
from components.names import TierName
from components.settings import Settings
from components.tier import Tier

SSH_PORT = 22
NAMESPACE_LABEL = "kubernetes.io/metadata.name"
# `virtctl ssh` connects from virt-api's Pods (pkg/virt-api/rest/dialers.go in KubeVirt). The namespaces are those of
# upstream KubeVirt, the hyperconverged operator and OpenShift Virtualization. RBAC controls who can use it.
KUBEVIRT_NAMESPACES = ("kubevirt", "kubevirt-hyperconverged", "openshift-cnv")

Rule = dict[str, Any]
Policy = tuple[Mapping[str, str], list[Rule]]
"""The labels of the selected Pods, and the ingress rules."""


class NetworkPolicies(pulumi.ComponentResource):
    """A policy that denies all ingress to the stack's machines, and one per tier that allows its clients.

    They select only the stack's Pods, so other Pods in the namespace aren't affected. Egress is not restricted. A
    network plugin without policy support ignores them.
    """

    def __init__(
        self, settings: Settings, tiers: Sequence[type[Tier]], opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("multi-tier:components:NetworkPolicies", "network-policies", None, opts)
        names = settings.names
        for name, (pods, ingress) in policies(settings, tiers).items():
            spec: dict[str, Any] = {"pod_selector": {"match_labels": dict(pods)}, "policy_types": ["Ingress"]}
            component = name.removeprefix(f"{names.name}-")
            kubernetes.networking.v1.NetworkPolicy(
                f"{component}-policy",
                metadata={
                    "name": name,
                    "namespace": names.namespace,
                    "labels": names.labels("network" if name == names.isolation else component),
                },
                # No rules deny all ingress; an empty list would show as a change in every preview.
                spec={**spec, "ingress": ingress} if ingress else spec,
                opts=pulumi.ResourceOptions(parent=self),
            )
        self.register_outputs({})


def policies(settings: Settings, tiers: Sequence[type[Tier]]) -> dict[str, Policy]:
    """Return the policies by name. They are additive: a connection is allowed if any policy allows it."""
    names, chosen = settings.names, settings.network_policies
    everywhere = [_rule(_virt_api(), [SSH_PORT])]
    if settings.mesh.enabled:
        everywhere.append(_rule(_scrapers(settings), TELEMETRY_PORTS))
    found: dict[str, Policy] = {names.isolation: (names.pods(), [rule for rule in everywhere if rule])}
    for component in tiers:
        endpoint = component.endpoint
        clients = [_tier(settings, endpoint.clients)] if endpoint.clients else _web_clients(settings)
        rules = [_rule(clients, [endpoint.port])]
        if settings.metrics.enabled:
            rules.append(_rule(_scrapers(settings), [endpoint.metrics_port, NODE_METRICS_PORT]))
        found[names.service(component.tier)] = (names.pods(component.tier), [rule for rule in rules if rule])
    if settings.load.enabled:
        readers = None if chosen.load_from is None else _peers(chosen.load_from)
        rules = [_rule(readers, [LOAD_AGENT_PORT])]
        if settings.metrics.enabled:
            ports = [LOAD_AGENT_PORT, NODE_METRICS_PORT] if settings.load.dedicated else [LOAD_AGENT_PORT]
            rules.append(_rule(_scrapers(settings), ports))
        carrier = names.machine(TierName.LOAD if settings.load.dedicated else TierName.WEB, 0)
        pods = {**names.pods(), "vm.kubevirt.io/name": carrier}
        found[names.load] = (pods, [rule for rule in rules if rule])
    return found


def _rule(clients: list[Rule] | None, ports: Iterable[int]) -> Rule:
    """Return a rule that allows clients to connect to ports: None allows everyone, an empty list allows no one.

    A rule for everyone has no `from`. A range of all addresses would not do: for Cilium, such a range contains neither
    Pods nor nodes, and the API server's proxy connects from a node.
    """
    if clients is not None and not clients:
        return {}
    open_ports: Rule = {"ports": [{"port": port, "protocol": "TCP"} for port in ports]}
    return open_ports if clients is None else {"from": clients, **open_ports}


def _tier(settings: Settings, tier: TierName) -> Rule:
    return {"podSelector": {"matchLabels": settings.names.pods(tier)}}


def _web_clients(settings: Settings) -> list[Rule] | None:
    chosen = settings.network_policies.web_from
    if chosen is None:
        return None
    generator = TierName.LOAD if settings.load.dedicated else TierName.WEB
    return [*([_tier(settings, generator)] if settings.load.enabled else []), *_peers(chosen)]


def _scrapers(settings: Settings) -> list[Rule]:
    chosen = settings.network_policies.metrics_from
    if chosen is not None:
        return _peers(chosen)
    # Every namespace has this label. An empty selector would mean the same, but show as a change in every preview.
    return [{"namespaceSelector": {"matchExpressions": [{"key": NAMESPACE_LABEL, "operator": "Exists"}]}}]


def _virt_api() -> list[Rule]:
    namespaces = {"key": NAMESPACE_LABEL, "operator": "In", "values": list(KUBEVIRT_NAMESPACES)}
    selector = {"matchExpressions": [namespaces]}
    return [{"namespaceSelector": selector, "podSelector": {"matchLabels": {"kubevirt.io": "virt-api"}}}]


def _peers(chosen: Iterable[str]) -> list[Rule]:
    """Return the rules for namespaces and address ranges."""
    ranges = [{"ipBlock": {"cidr": peer}} for peer in chosen if "/" in peer]
    namespaces = [peer for peer in chosen if "/" not in peer]
    selector = {"matchExpressions": [{"key": NAMESPACE_LABEL, "operator": "In", "values": namespaces}]}
    return [*([{"namespaceSelector": selector}] if namespaces else []), *ranges]
