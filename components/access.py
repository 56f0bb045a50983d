"""Who may connect to the machines: what NetworkPolicies enforce by address, and a service mesh by identity."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from cloudinit.constants import LOAD_AGENT_PORT, NODE_METRICS_PORT
from components.names import TierName
from components.settings import Settings
from components.tier import Tier

Client = TierName | str
"""A tier of the stack, a namespace, an address range, or EVERY_NAMESPACE."""
# Not a namespace's name.
EVERY_NAMESPACE = "*"


@dataclass(frozen=True, slots=True)
class Rule:
    """Connections that are allowed.

    Attributes:
        clients: Who may connect; None: everyone.
        ports: The ports of the machines.
    """

    clients: Sequence[Client] | None
    ports: Sequence[int]


@dataclass(frozen=True, slots=True)
class Access:
    """All connections that are allowed to some of the machines.

    Attributes:
        component: The tier, or the load generator.
        name: Name of the policies.
        pods: Labels that select the launcher Pods.
        rules: What is allowed; nothing: no connection at all.
    """

    component: str
    name: str
    pods: Mapping[str, str]
    rules: Sequence[Rule]


def access(settings: Settings, tiers: Sequence[type[Tier]]) -> Iterator[Access]:
    """Yield who may connect to each tier, and to the load generator, which may be on a web machine: both apply then."""
    names, chosen = settings.names, settings.network_policies
    for component in tiers:
        tier, endpoint = component.tier, component.endpoint
        clients = [endpoint.clients] if endpoint.clients else _web_clients(settings)
        rules = [Rule(clients, [endpoint.port])]
        if settings.metrics.enabled:
            rules.append(Rule(scrapers(settings), [endpoint.metrics_port, NODE_METRICS_PORT]))
        yield Access(tier, names.service(tier), names.pods(tier), _for_someone(rules))
    if settings.load.enabled:
        rules = [Rule(chosen.load_from, [LOAD_AGENT_PORT])]
        if settings.metrics.enabled:
            ports = [LOAD_AGENT_PORT, NODE_METRICS_PORT] if settings.load.dedicated else [LOAD_AGENT_PORT]
            rules.append(Rule(scrapers(settings), ports))
        pods = {**names.pods(), "vm.kubevirt.io/name": names.machine(settings.load.tier, 0)}
        yield Access(TierName.LOAD, names.load, pods, _for_someone(rules))


def scrapers(settings: Settings) -> Sequence[str]:
    """Return who may read metrics."""
    chosen = settings.network_policies.metrics_from
    return [EVERY_NAMESPACE] if chosen is None else chosen


def _web_clients(settings: Settings) -> Sequence[Client] | None:
    chosen = settings.network_policies.web_from
    if chosen is None:
        return None
    return [*([settings.load.tier] if settings.load.enabled else []), *chosen]


def _for_someone(rules: Sequence[Rule]) -> list[Rule]:
    """Return the rules without those that an empty list of clients makes pointless."""
    return [rule for rule in rules if rule.clients is None or rule.clients]
