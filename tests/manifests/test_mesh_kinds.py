"""What a stack declares in a service mesh is valid by Istio's own definitions, on a real API server."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.manifests.admission import Admission
from tests.manifests.test_admission import changed, emitted, lost

POLICIES: dict[str, Any] = {"enabled": True, "mutualTls": "STRICT", "authorization": True}
CHOSEN: dict[str, Any] = {"webFrom": ["ingress", "10.0.0.0/8"], "loadFrom": [], "metricsFrom": ["monitoring"]}
CANARY: dict[str, Any] = {"version": "v2", "weight": 20}
FAULT: dict[str, Any] = {
    "delay": {"percentage": 0.5, "fixedDelay": "500ms"},
    "abort": {"percentage": 100, "httpStatus": 503},
}
GATEWAY: dict[str, Any] = {"kind": "Gateway", "host": "shop.example.com", "tlsSecret": "shop-tls"}
CONFIGS: dict[str, dict[str, Any]] = {
    "policies": {"mesh": POLICIES},
    "policies for metrics, chosen clients and a dedicated load": {
        "mesh": POLICIES,
        "metrics": {"enabled": True},
        "load": {"dedicated": True},
        "networkPolicies": CHOSEN,
    },
    "faults of both tiers": {"mesh": {"enabled": True, "faults": {"web": FAULT, "application": FAULT}}},
    "a canary": {"mesh": {"enabled": True}, "application": {"canary": CANARY}},
    "a gateway": {"web": {"expose": {"kind": "Gateway"}}},
    "a gateway with TLS, annotations and faults": {
        "mesh": {"enabled": True, "faults": {"web": FAULT}},
        "web": {"expose": {**GATEWAY, "selector": {"app": "gateway"}, "annotations": {"example.com/pool": "lab"}}},
    },
    "a canary with a delay": {
        "mesh": {"enabled": True, "faults": {"application": {"delay": {"fixedDelay": "1ms"}}}},
        "application": {"canary": CANARY},
    },
}

EVERYTHING = {
    "mesh": {**POLICIES, "faults": {"application": FAULT}},
    "application": {"canary": CANARY},
    "web": {"expose": GATEWAY},
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
            "VirtualService",
            lambda spec: spec["http"][0]["fault"]["delay"].update(fixedDelay="0.5ms"),
            "must be a valid duration greater than 1ms",
            id="a delay that is too short",
        ),
        pytest.param(
            "VirtualService",
            lambda spec: spec["http"][0]["route"][0].pop("destination"),
            "destination: Required value",
            id="a route to nowhere",
        ),
        pytest.param(
            "Gateway",
            lambda spec: spec["servers"][1]["tls"].update(mode="EDGE"),
            "Unsupported value",
            id="no such mode of TLS",
        ),
        pytest.param(
            "DestinationRule",
            lambda spec: spec["subsets"][0].update(label={"version": "v1"}),
            "unknown field",
            id="a subset's unknown field",
        ),
        pytest.param(
            "PeerAuthentication",
            lambda spec: spec["mtls"].update(mode="ALWAYS"),
            "Unsupported value",
            id="no such mode",
        ),
        pytest.param(
            "PeerAuthentication",
            lambda spec: spec.update(portLevelMtls={"0": {"mode": "STRICT"}}),
            "port must be between 1-65535",
            id="no such port",
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
    (manifest, *_) = (one.inputs for one in emitted(EVERYTHING, namespace).of_kind(kind))

    assert reason in admission.refusal(changed(manifest, change))
