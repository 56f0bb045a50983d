"""Names and labels of the stack's objects."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.components.mocks import DEDICATED, METRICS, SCALED, deploy


def test_a_machine_is_named_after_its_tier_and_index() -> None:
    assert deploy().machines == ["multi-tier-application-0", "multi-tier-database-0", "multi-tier-web-0"]
    assert deploy(SCALED).machines == [
        "multi-tier-application-0",
        "multi-tier-application-1",
        "multi-tier-database-0",
        "multi-tier-web-0",
        "multi-tier-web-1",
    ]


def test_every_object_is_named_after_the_stack_and_in_its_namespace() -> None:
    for resource in deploy({"name": "shop", "namespace": "retail"}).objects:
        if resource.kind == "Namespace":
            assert resource.object_name == "retail"
        else:
            assert resource.object_name.startswith("shop-"), resource.urn
            assert resource.inputs["metadata"]["namespace"] == "retail", resource.urn


@pytest.mark.parametrize("config", [{}, SCALED, {**DEDICATED, **METRICS}])
def test_every_object_has_the_recommended_labels(config: dict[str, Any]) -> None:
    components = ["database", "application", "web", "load", "namespace", "network"]
    for resource in deploy(config).objects:
        all_labels = resource.inputs["metadata"]["labels"]
        labels = {key: text for key, text in all_labels.items() if key.startswith("app.kubernetes.io/")}

        assert labels.pop("app.kubernetes.io/component") in components, resource.urn
        assert labels == {
            "app.kubernetes.io/name": "multi-tier",
            "app.kubernetes.io/instance": "multi-tier",
            "app.kubernetes.io/part-of": "multi-tier",
            "app.kubernetes.io/managed-by": "pulumi",
        }, resource.urn
