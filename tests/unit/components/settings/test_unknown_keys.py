"""An unknown key is refused with the key that was probably meant."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.components.settings.refused import named, refusals

UNKNOWN: list[tuple[dict[str, Any], str]] = [
    ({"databse": {}}, "databse: is unknown; did you mean database?"),
    ({"Name": "shop"}, "Name: is unknown; did you mean name?"),
    ({"create_namespace": "true"}, "create_namespace: is unknown; did you mean createNamespace?"),
    ({"replicas": "2"}, "replicas: is unknown here; it belongs to application, application.canary, web"),
    ({"web.replicas": "2"}, "web.replicas: is not nested: write replicas under web (pulumi config set --path)"),
    (
        {"zzz": "1"},
        "zzz: is unknown; the known keys are name, namespace, clusterDomain, createNamespace, namespaceMetadata, "
        "instances, waves, database, application, web, load, gates, chaos, metrics, tracing, ssh, proxy, "
        "packageMirror, certificateAuthorities, networkPolicies, ipFamilyPolicy, mesh, timeouts",
    ),
    ({"web": {"cpu": 2}}, "web.cpu: is unknown; did you mean vcpus?"),
    ({"web": {"scale": 2}}, "web.scale: is unknown here; it belongs to database"),
    ({"web": {"service": {"port": 8080}}}, "web.service.port: is unknown; did you mean nodePort?"),
    ({"web": {"image": {"container_disk": "a"}}}, "web.image.container_disk: is unknown; did you mean containerDisk?"),
    ({"load": {"mix": {"randm": 1}}}, "load.mix.randm: is unknown; did you mean random?"),
    ({"gates": {"total": {"p90": 3}}}, "gates.total.p90: is unknown; did you mean p99?"),
    (
        {"gates": {"cache": {"p95": 1}}},
        "gates.cache: is unknown; the known keys are total, web, application, database, errorRate, deliveredShare",
    ),
    ({"ssh": {"password": "hunter2"}}, "ssh.password: is unknown; the known keys are user, authorizedKeys"),
    (
        {"web": {"tolerations": [{"key": "a", "efect": "NoSchedule"}]}},
        "web.tolerations[0].efect: is unknown; did you mean effect?",
    ),
    (
        {"database": {"topologySpread": "Off"}},
        "database.topologySpread: is unknown here; it belongs to application, web",
    ),
]


@pytest.mark.parametrize(("config", "line"), named(UNKNOWN))
def test_the_closest_key_is_suggested(config: dict[str, Any], line: str) -> None:
    assert refusals(config) == [line]
