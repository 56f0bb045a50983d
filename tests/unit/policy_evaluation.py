"""What NetworkPolicies let in: their meaning in Kubernetes' documentation, for the fields that the program uses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from typing import Any

Labels = Mapping[str, str]


@dataclass(frozen=True)
class Peer:
    """Who connects, or is connected to.

    Attributes:
        pod: Labels of the Pod; None: no Pod, such as a node or a machine outside the cluster.
        namespace: Name of the Pod's namespace.
        address: IP address.
    """

    pod: Labels | None = None
    namespace: str = ""
    address: str = "192.0.2.1"
    namespace_labels: Labels = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "namespace_labels", {"kubernetes.io/metadata.name": self.namespace})


def lets_in(policies: Sequence[dict[str, Any]], source: Peer, target: Peer, port: int) -> bool:
    """Return whether a Pod can be connected to: it is selected by no policy, or one of those that select it lets in."""
    selecting = [policy for policy in policies if _selects_target(policy, target)]
    return not selecting or any(_allows(policy, source, port) for policy in selecting)


def _selects_target(policy: dict[str, Any], target: Peer) -> bool:
    assert policy["spec"]["policyTypes"] == ["Ingress"]
    in_namespace = policy["metadata"]["namespace"] == target.namespace
    return in_namespace and target.pod is not None and _matches(policy["spec"]["podSelector"], target.pod)


def _allows(policy: dict[str, Any], source: Peer, port: int) -> bool:
    for rule in policy["spec"].get("ingress", []):
        ports = rule.get("ports", [])
        assert all(one["protocol"] == "TCP" for one in ports)
        # No ports are all ports, and no peers, or an empty list of them, are all peers.
        right_port = not ports or any(one["port"] == port for one in ports)
        peers = rule.get("from", [])
        if right_port and (not peers or any(_is(peer, source, policy["metadata"]["namespace"]) for peer in peers)):
            return True
    return False


def _is(peer: dict[str, Any], source: Peer, home: str) -> bool:
    assert set(peer) <= {"ipBlock", "podSelector", "namespaceSelector"}
    assert peer
    if "ipBlock" in peer:
        assert set(peer) == {"ipBlock"}, "a range stands alone"
        return ip_address(source.address) in ip_network(peer["ipBlock"]["cidr"])
    if source.pod is None:
        return False
    there = (
        _matches(peer["namespaceSelector"], source.namespace_labels)
        if "namespaceSelector" in peer
        else source.namespace == home
    )
    return there and _matches(peer.get("podSelector", {}), source.pod)


def _matches(selector: dict[str, Any], labels: Labels) -> bool:
    assert set(selector) <= {"matchLabels", "matchExpressions"}
    if not selector.get("matchLabels", {}).items() <= labels.items():
        return False
    for expression in selector.get("matchExpressions", []):
        key, operator = expression["key"], expression["operator"]
        assert operator in ("In", "Exists")
        if key not in labels or (operator == "In" and labels[key] not in expression["values"]):
            return False
    return True
