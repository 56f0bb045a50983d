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
    components = ["database", "application", "web", "load", "namespace", "network", "faults"]
    for resource in deploy({"name": "shop", **config}).objects:
        labels = recommended(resource.inputs["metadata"]["labels"])
        component = labels["component"]
        labels.pop("version", None)

        assert component in components, resource.urn
        assert labels == {
            "name": f"shop-{component}",
            "instance": "shop",
            "component": component,
            "part-of": "multi-tier",
            "managed-by": "pulumi",
        }, resource.urn


def test_only_machines_have_a_version() -> None:
    for resource in deploy({"web": {"version": "v2", "replicas": 2}}).objects:
        labels = recommended(resource.inputs["metadata"]["labels"])
        version = {"web": "v2"}.get(labels["component"], "v1") if resource.kind == "VirtualMachine" else None

        assert labels.get("version") == version, resource.urn


def recommended(labels: dict[str, str]) -> dict[str, str]:
    """Return the recommended labels without their prefix."""
    prefix = "app.kubernetes.io/"
    return {key.removeprefix(prefix): text for key, text in labels.items() if key.startswith(prefix)}
