"""Settings of NetworkPolicies."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.components.settings.refused import named, refusals

PEER = 'must be a namespace such as "monitoring" or an address range such as "10.0.0.0/8"'
PEERS = 'must be a list of different namespaces and address ranges, such as ["monitoring", "10.0.0.0/8"]'
OFF = "has no effect while enabled is false: set it to true, or remove"

MISTAKES: list[tuple[dict[str, Any], str]] = [
    ({"networkPolicies": {"webFrom": "ingress-nginx"}}, f'networkPolicies.webFrom: "ingress-nginx" {PEERS}'),
    ({"networkPolicies": {"webFrom": ["a", "a"]}}, f"networkPolicies.webFrom: {PEERS}"),
    ({"networkPolicies": {"webFrom": [7]}}, f"networkPolicies.webFrom[0]: 7 {PEER}"),
    ({"networkPolicies": {"webFrom": ["a", "Ingress"]}}, f'networkPolicies.webFrom[1]: "Ingress" {PEER}'),
    ({"networkPolicies": {"loadFrom": ["10.0.0.1"]}}, f'networkPolicies.loadFrom[0]: "10.0.0.1" {PEER}'),
    ({"networkPolicies": {"loadFrom": ["10.0.0.1/8"]}}, f'networkPolicies.loadFrom[0]: "10.0.0.1/8" {PEER}'),
    ({"networkPolicies": {"enabled": False, "webFrom": []}}, f"networkPolicies.webFrom: {OFF} this"),
    (
        {"networkPolicies": {"metricsFrom": ["monitoring"]}},
        "networkPolicies.metricsFrom: needs metrics.enabled: there is nothing to scrape without it",
    ),
    (
        {"networkPolicies": {"loadFrom": []}, "load": {"enabled": False}},
        "networkPolicies.loadFrom: has no effect while load.enabled is false: set it to true, or remove this",
    ),
]


@pytest.mark.parametrize(("config", "line"), named(MISTAKES))
def test_a_mistake_about_the_network_is_reported_in_one_line(config: dict[str, Any], line: str) -> None:
    assert refusals(config) == [line]
