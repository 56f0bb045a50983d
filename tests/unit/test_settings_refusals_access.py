"""Mistakes in who may connect, and how, are told in one clear line each."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.test_settings_refusals import refusal_of

PEERS = 'must be a list of namespaces and address ranges, such as ["monitoring", "10.0.0.0/8"]'
POLICIES = "networkPolicies"

MISTAKES: list[tuple[dict[str, Any], str]] = [
    ({POLICIES: {"enabled": "no"}}, 'networkPolicies.enabled: "no" must be true or false'),
    ({POLICIES: {"webFrom": "ingress-nginx"}}, f'networkPolicies.webFrom: "ingress-nginx" {PEERS}'),
    ({POLICIES: {"webFrom": [7]}}, f"networkPolicies.webFrom: {PEERS}; 7 is neither"),
    ({POLICIES: {"loadFrom": ["10.0.0.1"]}}, f'networkPolicies.loadFrom: {PEERS}; "10.0.0.1" is neither'),
    ({POLICIES: {"loadFrom": ["10.0.0.1/8"]}}, f'networkPolicies.loadFrom: {PEERS}; "10.0.0.1/8" is neither'),
    ({POLICIES: {"webFrom": ["Ingress"]}}, f'networkPolicies.webFrom: {PEERS}; "Ingress" is neither'),
    ({POLICIES: {"webFrom": ["a", "a"]}}, f"networkPolicies.webFrom: {PEERS}, and each of them once"),
    (
        {POLICIES: {"metricFrom": []}},
        "networkPolicies.metricFrom: is unknown; did you mean metricsFrom?",
    ),
    (
        {POLICIES: {"enabled": False, "webFrom": []}},
        "networkPolicies.webFrom: needs networkPolicies.enabled: nobody would be kept out",
    ),
    (
        {POLICIES: {"metricsFrom": ["monitoring"]}},
        "networkPolicies.metricsFrom: needs metrics.enabled: there would be nothing to scrape",
    ),
    (
        {POLICIES: {"loadFrom": []}, "load": {"enabled": False}},
        "networkPolicies.loadFrom: has nobody's figures to guard while load.enabled is false: "
        "remove it, or generate load",
    ),
]


@pytest.mark.parametrize(("config", "line"), MISTAKES, ids=[line.split(" ")[0] for _, line in MISTAKES])
def test_a_mistake_is_told_in_exactly_one_line(config: dict[str, Any], line: str) -> None:
    head, *lines = refusal_of(config).split("\n  ")

    assert head == "The stack's configuration has a mistake; nothing was changed."
    assert lines == [f"multi-tier:{line}"]
