"""What AuthorizationPolicies allow: their meaning in Istio's documentation, for the fields that the program uses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import Any

Labels = Mapping[str, str]


@dataclass(frozen=True)
class Caller:
    """Who connects.

    Attributes:
        account: Service account in the caller's certificate; empty: no certificate.
        namespace: Namespace of the account.
        address: IP address.
    """

    account: str = ""
    namespace: str = "multi-tier"
    address: str = "192.0.2.1"


def is_allowed(policies: Sequence[dict[str, Any]], caller: Caller, target: Labels, port: int) -> bool:
    """Return whether a workload accepts a connection: no policy selects it, or a rule of one that does allows it."""
    selecting = [one["spec"] for one in policies if one["spec"]["selector"]["matchLabels"].items() <= target.items()]
    assert all(spec["action"] == "ALLOW" for spec in selecting)
    rules = [rule for spec in selecting for rule in spec.get("rules", ())]
    return not selecting or any(_allows(rule, caller, port) for rule in rules)


def _allows(rule: dict[str, Any], caller: Caller, port: int) -> bool:
    assert set(rule) <= {"from", "to"}
    ports = [one for to in rule["to"] for one in to["operation"]["ports"]]
    sources = [one["source"] for one in rule["from"]] if "from" in rule else None
    return str(port) in ports and (sources is None or any(_matches(source, caller) for source in sources))


def _matches(source: dict[str, Any], caller: Caller) -> bool:
    """Return whether a caller fits all fields of a source; an empty source would be everyone."""
    assert source
    assert set(source) <= {"principals", "namespaces", "ipBlocks"}
    principal = f"cluster.local/ns/{caller.namespace}/sa/{caller.account}"
    fits = {
        "principals": lambda values: bool(caller.account) and principal in values,
        "namespaces": lambda values: bool(caller.account) and caller.namespace in values,
        "ipBlocks": lambda values: any(ip_address(caller.address) in ip_network(one) for one in values),
    }
    return all(fits[key](values) for key, values in source.items())
