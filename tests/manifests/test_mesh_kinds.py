"""What a stack declares in a service mesh is valid by Istio's own definitions, on a real API server."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.manifests.admission import Admission
from tests.manifests.test_admission import changed, emitted, lost

POLICIES: dict[str, Any] = {"enabled": True, "mutualTls": "STRICT", "authorization": True}
CHOSEN: dict[str, Any] = {"webFrom": ["ingress", "10.0.0.0/8"], "loadFrom": [], "metricsFrom": ["monitoring"]}
CONFIGS: dict[str, dict[str, Any]] = {
    "policies": {"mesh": POLICIES},
    "policies for metrics, chosen clients and a dedicated load": {
        "mesh": POLICIES,
        "metrics": {"enabled": True},
        "load": {"dedicated": True},
        "networkPolicies": CHOSEN,
    },
}

pytestmark = pytest.mark.usefixtures("other_kinds")


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_every_object_is_accepted_unchanged_and_without_defaults_to_fill_in(
    admission: Admission, namespace: str, config: dict[str, Any]
) -> None:
    manifests = [one.inputs for one in emitted(config, namespace).objects if "istio.io" in one.inputs["apiVersion"]]

    assert manifests
    for manifest in manifests:
        kept = admission.admit(manifest)
        name = f"{manifest['kind']} {manifest['metadata']['name']}"
        assert not lost(manifest, kept), name
        assert not lost(kept["spec"], manifest["spec"]), f"{name}: the next preview would show the API's defaults"


@pytest.mark.parametrize(
    ("kind", "change", "reason"),
    [
        pytest.param(
            "PeerAuthentication",
            lambda spec: spec["mtls"].update(mode="ALWAYS"),
            "Unsupported value",
            id="no such mode",
        ),
        pytest.param(
            "PeerAuthentication",
            lambda spec: spec.pop("selector"),
            "portLevelMtls requires selector",
            id="ports of no machine",
        ),
        pytest.param(
            "AuthorizationPolicy", lambda spec: spec.update(action="PERMIT"), "Unsupported value", id="no such action"
        ),
        pytest.param(
            "AuthorizationPolicy",
            lambda spec: spec["rules"][0]["to"][0]["operation"].update(port="80"),
            "unknown field",
            id="unknown field",
        ),
    ],
)
def test_what_its_definition_forbids_is_refused(
    admission: Admission, namespace: str, kind: str, change: Callable[[dict[str, Any]], object], reason: str
) -> None:
    manifest = emitted(CONFIGS["policies"], namespace).object(kind, "multi-tier-web").inputs

    assert reason in admission.refusal(changed(manifest, change))
