"""Settings of who can connect to the machines."""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import StrEnum
from ipaddress import ip_network
from typing import Annotated

from annotated_types import Predicate
from pydantic import Field
from pydantic.alias_generators import to_camel

from components.settings.model import Contradiction, Model
from components.settings.values import LABEL, allowing


def _is_peer(text: str) -> bool:
    """Return whether it is a namespace, or a CIDR as in a NetworkPolicy: with a prefix, and no bit set after it."""
    try:
        return bool(re.fullmatch(LABEL, text, re.ASCII)) or ("/" in text and str(ip_network(text)) == text)
    except ValueError:
        return False


Peers = Annotated[
    list[
        Annotated[
            str,
            Predicate(_is_peer),
            allowing('a namespace such as "monitoring" or an address range such as "10.0.0.0/8"'),
        ]
    ],
    Predicate(lambda peers: len(set(peers)) == len(peers)),
    allowing('a list of different namespaces and address ranges, such as ["monitoring", "10.0.0.0/8"]'),
]


class IpFamilyPolicy(StrEnum):
    """How many IP families a Service has, as in Kubernetes."""

    SINGLE_STACK = "SingleStack"
    PREFER_DUAL_STACK = "PreferDualStack"
    REQUIRE_DUAL_STACK = "RequireDualStack"


class NetworkPolicySettings(Model):
    """Which connections to the machines the NetworkPolicies allow."""

    enabled: bool = Field(
        default=True, description="Whether NetworkPolicies allow only the tier in front of a tier to connect to it."
    )
    web_from: Peers | None = Field(
        default=None, description="Clients of the web tier, besides the load generator. Defaults to everyone."
    )
    load_from: Peers | None = Field(
        default=None,
        description="Clients of the load generator's API. Defaults to everyone, which the API server's proxy requires.",
    )
    metrics_from: Peers | None = Field(
        default=None, description="Clients that scrape metrics. Defaults to the Pods of every namespace."
    )

    def contradictions(self) -> Iterator[Contradiction]:
        """Yield clients for policies that are off."""
        if not self.enabled:
            for name in sorted({"web_from", "load_from", "metrics_from"} & self.model_fields_set):
                yield Contradiction(
                    to_camel(name), "has no effect while enabled is false: set it to true, or remove this"
                )
