"""Who may connect to the machines: to a tier, the tier before it and nobody else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pulumi
import pulumi_kubernetes as kubernetes

from cloudinit.constants import LOAD_AGENT_PORT, NODE_METRICS_PORT
from components.application import Application
from components.database import Database
from components.mesh import TELEMETRY_PORTS
from components.names import TierName
from components.settings import Settings
from components.tier import Tier
from components.web import Web

SSH_PORT = 22
NAMESPACE_LABEL = "kubernetes.io/metadata.name"
# `virtctl ssh` connects from virt-api's Pods (pkg/virt-api/rest/dialers.go in KubeVirt), in the namespace of KubeVirt:
# upstream's, the hyperconverged operator's, OpenShift Virtualization's. RBAC says who may use it.
KUBEVIRT_NAMESPACES = ("kubevirt", "kubevirt-hyperconverged", "openshift-cnv")

Rule = dict[str, Any]
Policy = tuple[Mapping[str, str], list[Rule]]
"""The labels of the Pods that it is for, and what it lets in."""


class NetworkPolicies(pulumi.ComponentResource):
    """One policy that closes the stack's machines, and one for each tier that lets in whom it serves.

    They select the stack's own Pods only, so that others in the same namespace aren't touched. What the machines
    connect to is not restricted. A cluster whose network doesn't enforce policies keeps them and lets everybody in.
    """

    def __init__(self, settings: Settings, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("multi-tier:components:NetworkPolicies", "network-policies", None, opts)
        names = settings.names
        for name, (pods, ingress) in policies(settings).items():
            spec: dict[str, Any] = {"pod_selector": {"match_labels": dict(pods)}, "policy_types": ["Ingress"]}
            component = name.removeprefix(f"{names.name}-")
            kubernetes.networking.v1.NetworkPolicy(
                f"{component}-policy",
                metadata={
                    "name": name,
                    "namespace": names.namespace,
                    "labels": names.labels("network" if name == names.isolation else component),
                },
                # No rule at all lets nobody in; an empty list would be a change in every preview.
                spec={**spec, "ingress": ingress} if ingress else spec,
                opts=pulumi.ResourceOptions(parent=self),
            )
        self.register_outputs({})


def policies(settings: Settings) -> dict[str, Policy]:
    """Return the policies by name. Policies add up: what one of them lets in is let in."""
    names, chosen = settings.names, settings.network_policies
    open_to: dict[TierName, tuple[type[Tier[Any]], list[Rule] | None]] = {
        TierName.DATABASE: (Database, [_tier(settings, TierName.APPLICATION)]),
        TierName.APPLICATION: (Application, [_tier(settings, TierName.WEB)]),
        TierName.WEB: (Web, _web_clients(settings)),
    }
    everywhere = [_rule(_virt_api(), [SSH_PORT])]
    if settings.mesh.enabled:
        everywhere.append(_rule(_scrapers(settings), TELEMETRY_PORTS))
    found: dict[str, Policy] = {names.isolation: (names.pods(), [rule for rule in everywhere if rule])}
    for tier, (component, clients) in open_to.items():
        rules = [_rule(clients, [component.endpoint.port])]
        if settings.metrics.enabled:
            rules.append(_rule(_scrapers(settings), [component.endpoint.metrics_port, NODE_METRICS_PORT]))
        found[names.service(tier)] = (names.pods(tier), [rule for rule in rules if rule])
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
    """Return a rule that lets clients connect to ports; None: everybody; an empty list: nobody, so no rule.

    Everybody is said by no `from` at all. A range of all addresses would say something else: Cilium's ranges have no
    Pods and no nodes in them, and the API server's proxy connects from a node.
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
    # Every namespace has this label; an empty selector would say the same, and be a change in every preview.
    return [{"namespaceSelector": {"matchExpressions": [{"key": NAMESPACE_LABEL, "operator": "Exists"}]}}]


def _virt_api() -> list[Rule]:
    namespaces = {"key": NAMESPACE_LABEL, "operator": "In", "values": list(KUBEVIRT_NAMESPACES)}
    selector = {"matchExpressions": [namespaces]}
    return [{"namespaceSelector": selector, "podSelector": {"matchLabels": {"kubevirt.io": "virt-api"}}}]


def _peers(chosen: Iterable[str]) -> list[Rule]:
    """Return who is chosen by namespace or address range."""
    ranges = [{"ipBlock": {"cidr": peer}} for peer in chosen if "/" in peer]
    namespaces = [peer for peer in chosen if "/" not in peer]
    selector = {"matchExpressions": [{"key": NAMESPACE_LABEL, "operator": "In", "values": namespaces}]}
    return [*([{"namespaceSelector": selector}] if namespaces else []), *ranges]
