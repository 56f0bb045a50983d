"""Routes of a service mesh: faults on the way to a tier, and a canary's share of its requests."""

from __future__ import annotations

from typing import Any

from components.names import VERSION, TierName
from components.settings import Settings
from components.settings.mesh import Fault
from components.settings.tiers import Canary

NETWORKING = "networking.istio.io/v1"
STABLE, CANARY = "stable", "canary"

Manifest = dict[str, Any]


def virtual_service(settings: Settings, tier: TierName) -> Manifest | None:
    """Return the VirtualService of a tier's requests from inside the mesh; None if the Service does."""
    if not _fault(settings, tier) and not _canary(settings, tier):
        return None
    return {"hosts": [settings.names.service_host(tier)], "http": http_routes(settings, tier)}


def http_routes(settings: Settings, tier: TierName, port: int | None = None) -> list[Manifest]:
    """Return the one route of all requests to a tier.

    Args:
        settings: Settings of the stack.
        tier: The tier.
        port: Port of its Service; None: the one that the client connects to.
    """
    destination: Manifest = {"host": settings.names.service_host(tier), **({"port": {"number": port}} if port else {})}
    if canary := _canary(settings, tier):
        weights = {STABLE: 100 - canary.weight, CANARY: canary.weight}
        route: list[Manifest] = [
            {"destination": {**destination, "subset": subset}, "weight": weight} for subset, weight in weights.items()
        ]
    else:
        route = [{"destination": destination}]
    fault = _fault(settings, tier)
    return [{"route": route, **({"fault": _injected(fault)} if fault else {})}]


def destination_rule(settings: Settings, tier: TierName) -> Manifest | None:
    """Return the subsets of a tier's machines by their version; None if all have the same."""
    canary = _canary(settings, tier)
    if canary is None:
        return None
    versions = {STABLE: settings.application.version, CANARY: canary.version}
    return {
        "host": settings.names.service_host(tier),
        "subsets": [{"name": subset, "labels": {VERSION: version}} for subset, version in versions.items()],
    }


def _canary(settings: Settings, tier: TierName) -> Canary | None:
    return settings.application.canary if tier is TierName.APPLICATION else None


def _fault(settings: Settings, tier: TierName) -> Fault | None:
    faults = settings.mesh.faults
    return {TierName.WEB: faults.web, TierName.APPLICATION: faults.application}.get(tier)


def _injected(fault: Fault) -> Manifest:
    """Return a fault as in a VirtualService."""
    found: Manifest = {}
    if fault.delay:
        found["delay"] = {"percentage": {"value": fault.delay.percentage}, "fixedDelay": fault.delay.fixed_delay}
    if fault.abort:
        found["abort"] = {"percentage": {"value": fault.abort.percentage}, "httpStatus": fault.abort.http_status}
    return found
