"""The pack as the engine talks to it: a process of its own, over gRPC, with the library that it is locked to."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.empty_pb2 import Empty
from google.protobuf.json_format import ParseDict
from google.protobuf.struct_pb2 import Struct
from pulumi.runtime.proto import analyzer_pb2, analyzer_pb2_grpc
from pulumi_policy.deserialize import SPECIAL_SECRET_SIG, SPECIAL_SIG_KEY
from pulumi_policy.proxy import UNKNOWN_STRING_VALUE

from rules import RULES
from rules.labels import REQUIRED

PACK = Path(__file__).parents[1]
CONFIG_MAP = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "shop-load", "labels": dict.fromkeys(REQUIRED, "x")},
}
Found = list[tuple[str, str, int]]


class Pack:
    def __init__(self, port: int) -> None:
        self.stub: Any = analyzer_pb2_grpc.AnalyzerStub(grpc.insecure_channel(f"127.0.0.1:{port}"))

    def analyze(self, inputs: dict[str, Any], of_type: str = "kubernetes:core/v1:ConfigMap") -> Found:
        """Return rule, message and level of what the pack has against a resource."""
        request = analyzer_pb2.AnalyzeRequest(
            type=of_type, name="x", urn="urn:x", properties=ParseDict(inputs, Struct())
        )
        found = self.stub.Analyze(request).diagnostics
        return [(one.policyName, one.message, one.enforcementLevel) for one in found]

    def configure(self, **levels: Any) -> None:
        config = {
            name.replace("_", "-"): analyzer_pb2.PolicyConfig(enforcementLevel=level) for name, level in levels.items()
        }
        self.stub.Configure(analyzer_pb2.ConfigureAnalyzerRequest(policyConfig=config))


@pytest.fixture
def pack() -> Iterator[Pack]:
    command = [sys.executable, "-u", "-m", "pulumi.policy", "127.0.0.1:1", str(PACK)]
    with subprocess.Popen(command, cwd=PACK, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            yield Pack(int(process.stdout.readline()))
        finally:
            process.terminate()


def secret(value: object) -> dict[str, Any]:
    return {SPECIAL_SIG_KEY: SPECIAL_SECRET_SIG, "value": value}


def test_the_pack_tells_its_rules_and_refuses_by_default(pack: Pack) -> None:
    info = pack.stub.GetAnalyzerInfo(Empty())
    assert [policy.name for policy in info.policies] == [rule.name for rule in RULES]
    assert {policy.enforcementLevel for policy in info.policies} == {analyzer_pb2.MANDATORY}


@pytest.mark.parametrize("value", ["hunter2", UNKNOWN_STRING_VALUE], ids=["known", "unknown"])
def test_the_mark_of_a_secret_reaches_the_rule(pack: Pack, value: str) -> None:
    ((rule, message, level),) = pack.analyze({**CONFIG_MAP, "data": {"plan": secret(value)}})
    assert rule == "no-secret-outside-secrets"
    assert "ConfigMap shop-load: data.plan is secret" in message
    assert "hunter2" not in message
    assert level == analyzer_pb2.MANDATORY


def test_a_value_that_is_not_known_yet_stops_no_rule(pack: Pack) -> None:
    assert pack.analyze({**CONFIG_MAP, "data": {"plan": UNKNOWN_STRING_VALUE}}) == []


def test_what_is_not_of_the_cluster_passes(pack: Pack) -> None:
    assert pack.analyze({"password": secret("hunter2")}, "random:index/randomPassword:RandomPassword") == []


def test_the_configuration_sets_each_rules_level(pack: Pack) -> None:
    inputs = {**CONFIG_MAP, "metadata": {"name": "x"}, "data": {"image": "debian"}}
    pack.configure(labels_present=analyzer_pb2.ADVISORY, no_latest_image=analyzer_pb2.DISABLED)
    assert [(rule, level) for rule, _, level in pack.analyze(inputs)] == [("labels-present", analyzer_pb2.ADVISORY)]


def test_the_example_of_a_configuration_names_rules_that_exist() -> None:
    example = json.loads((PACK / "levels.json").read_text())
    assert example.keys() <= {"all", *(rule.name for rule in RULES)}
