"""HTTPRoutes and Routes are valid by their own projects' definitions, on a real API server."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from kube.resources import Object
from tests.manifests.admission import Admission
from tests.manifests.test_admission import changed, emitted, lost

GATEWAY = {"name": "public"}
EXPOSURES: dict[str, dict[str, Any]] = {
    "HTTPRoute": {"kind": "HTTPRoute", "gateway": GATEWAY},
    "HTTPRoute of a listener, with a host": {
        "kind": "HTTPRoute",
        "host": "shop.example.com",
        "gateway": {**GATEWAY, "namespace": "gateways", "sectionName": "web"},
        "annotations": {"example.com/pool": "lab"},
    },
    "Route": {"kind": "Route"},
    "Route with a host and TLS": {"kind": "Route", "host": "shop.apps.example.com", "termination": "edge"},
}

pytestmark = pytest.mark.usefixtures("other_kinds")


def exposing(namespace: str, exposure: dict[str, Any]) -> Object:
    deployment = emitted({"web": {"expose": exposure}}, namespace)
    return deployment.object(exposure["kind"], "multi-tier-web").inputs


@pytest.mark.parametrize("exposure", EXPOSURES.values(), ids=EXPOSURES)
def test_it_is_accepted_unchanged_and_without_defaults_to_fill_in(
    admission: Admission, namespace: str, exposure: dict[str, Any]
) -> None:
    manifest = exposing(namespace, exposure)
    kept = admission.admit(manifest)

    assert not lost(manifest, kept)
    assert not lost(kept["spec"], manifest["spec"]), "the next preview would show the API's defaults"


@pytest.mark.parametrize(
    ("exposure", "change", "reason"),
    [
        pytest.param("Route", lambda spec: spec["to"].update(kind="Pod"), "Unsupported value", id="Route to a Pod"),
        pytest.param("Route", lambda spec: spec.update(hosts=["a"]), "unknown field", id="Route's unknown field"),
        pytest.param(
            "HTTPRoute",
            lambda spec: spec["rules"][0]["backendRefs"][0].pop("port"),
            "Must have port for Service reference",
            id="HTTPRoute without port",
        ),
        pytest.param(
            "HTTPRoute", lambda spec: spec.update(hostnames=["10.0.0.1/8"]), "hostnames", id="HTTPRoute's wrong host"
        ),
    ],
)
def test_what_its_definition_forbids_is_refused(
    admission: Admission, namespace: str, exposure: str, change: Callable[[dict[str, Any]], object], reason: str
) -> None:
    manifest = exposing(namespace, EXPOSURES[exposure])

    assert reason in admission.refusal(changed(manifest, change))
