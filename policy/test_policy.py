"""The rules on manifests as the program emits them, and the pack as the engine talks to it."""

from __future__ import annotations

import copy
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

from rules import (
    REQUIRED_LABELS,
    RULES,
    UNKNOWN,
    Rule,
    Secret,
    labels_present,
    limits_set,
    no_latest_image,
    no_secret_outside_secrets,
    probes_present,
)

PACK = Path(__file__).parent
NAMES = [rule.__name__.replace("_", "-") for rule in RULES]
LABELS = dict.fromkeys(REQUIRED_LABELS, "x")
MACHINE: dict[str, Any] = {
    "apiVersion": "kubevirt.io/v1",
    "kind": "VirtualMachine",
    "metadata": {"name": "shop-web-0", "labels": LABELS, "annotations": {"pulumi.com/waitFor": "condition=Ready"}},
    "spec": {
        "runStrategy": "Always",
        "template": {
            "metadata": {"labels": LABELS},
            "spec": {
                "domain": {
                    "cpu": {"sockets": 1, "cores": 1, "threads": 1},
                    "memory": {"guest": "1Gi"},
                    "firmware": {"uuid": "2b2d3c31-0d0a-5a0c-9a44-0c3b3f0f9f11"},
                },
                "volumes": [
                    {"name": "root", "containerDisk": {"image": "quay.io:443/containerdisks/debian:12"}},
                    {"name": "cloudinit", "cloudInitNoCloud": {"secretRef": {"name": "shop-web-0-cloud-init"}}},
                ],
                "readinessProbe": {"httpGet": {"path": "/ready", "port": 80}, "periodSeconds": 1},
            },
        },
    },
}
SPEC = ("spec", "template", "spec")
IMAGE = (*SPEC, "volumes", 0, "containerDisk", "image")
TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U"


def machine(path: tuple[str | int, ...], value: object) -> dict[str, Any]:
    """Return the machine with another value at a path, or without the property if the value is None."""
    changed = copy.deepcopy(MACHINE)
    parent: Any = changed
    for key in path[:-1]:
        parent = parent[key]
    if value is None:
        del parent[path[-1]]
    else:
        parent[path[-1]] = value
    return changed


def config_map(**data: object) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "shop-load", "labels": LABELS}, "data": data}


@pytest.mark.parametrize("rule", RULES, ids=NAMES)
def test_a_machine_as_the_program_emits_it_passes_even_if_its_template_is_unknown(rule: Rule) -> None:
    assert list(rule(MACHINE)) == []
    assert list(rule(machine(("spec", "template"), UNKNOWN))) == []


@pytest.mark.parametrize("image", ["debian", "quay.io:443/containerdisks/debian", "quay.io/x/debian:latest"])
def test_an_image_without_a_version_is_refused(image: str) -> None:
    (violation,) = no_latest_image(machine(IMAGE, image))
    assert violation.startswith(f"spec.template.spec.volumes[0].containerDisk.image is {image}, ")


@pytest.mark.parametrize("image", ["debian:12", "localhost:5000/debian:12", "debian@sha256:0123", UNKNOWN])
def test_an_image_with_a_version_passes(image: object) -> None:
    assert list(no_latest_image(machine(IMAGE, image))) == []


def test_the_registry_source_of_a_data_volume_needs_a_version() -> None:
    volume = {"apiVersion": "cdi.kubevirt.io/v1beta1", "kind": "DataVolume"}
    refused = {**volume, "spec": {"source": {"registry": {"url": "docker://quay.io/containerdisks/debian"}}}}
    passed = {**volume, "spec": {"source": {"http": {"url": "https://images.example/latest"}}}}
    assert len(list(no_latest_image(refused))) == 1
    assert list(no_latest_image(passed)) == []


@pytest.mark.parametrize("label", REQUIRED_LABELS)
def test_each_label_is_required_on_the_machine_and_on_its_template(label: str) -> None:
    others = {other: "x" for other in REQUIRED_LABELS if other != label}
    assert list(labels_present(machine(("metadata", "labels"), others))) == [f"metadata.labels lacks {label}."]
    template = machine(("spec", "template", "metadata", "labels"), others)
    assert list(labels_present(template)) == [f"spec.template.metadata.labels lacks {label}."]


def test_an_object_without_labels_lacks_all_of_them() -> None:
    (violation,) = labels_present({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "x"}})
    assert all(label in violation for label in REQUIRED_LABELS)


@pytest.mark.parametrize("resource", ["memory", "cpu"])
def test_a_machine_without_memory_or_cpu_is_refused(resource: str) -> None:
    (violation,) = limits_set(machine((*SPEC, "domain", resource), None))
    assert f"spec.template.spec.domain.{resource}" in violation
    assert f"set {resource}, " in violation


def test_an_instancetype_or_resources_set_the_size() -> None:
    bare = machine((*SPEC, "domain"), {})
    assert len(list(limits_set(bare))) == 2
    bare["spec"]["instancetype"] = {"name": "u1.small"}
    assert list(limits_set(bare)) == []
    resources = {"resources": {"limits": {"memory": "1Gi", "cpu": "1"}}}
    assert list(limits_set(machine((*SPEC, "domain"), resources))) == []


@pytest.mark.parametrize("probe", [None, {}, {"periodSeconds": 1}])
def test_a_machine_without_a_readiness_probe_is_refused(probe: object) -> None:
    (violation,) = probes_present(machine((*SPEC, "readinessProbe"), probe))
    assert violation.startswith("spec.template.spec.readinessProbe is missing")


@pytest.mark.parametrize("rule", [limits_set, probes_present])
def test_the_same_rules_apply_to_a_pool(rule: Rule) -> None:
    spec: dict[str, Any] = {"virtualMachineTemplate": {"spec": {"template": {"spec": {"domain": {}}}}}}
    pool = {"apiVersion": "pool.kubevirt.io/v1beta1", "kind": "VirtualMachinePool", "spec": spec}
    assert list(rule(pool))


def test_a_marked_secret_is_refused_outside_of_secrets_and_not_shown() -> None:
    for value in (Secret("hunter2"), Secret(UNKNOWN), Secret({"a": "hunter2"})):
        (violation,) = no_secret_outside_secrets(config_map(plan=value))
        assert violation == "data.plan is secret: store it in a Secret and reference it."
    assert not any(list(rule(config_map(image=Secret("hunter2")))) for rule in RULES[1:])
    secret = {"apiVersion": "v1", "kind": "Secret", "stringData": Secret({"password": "hunter2"})}
    assert list(no_secret_outside_secrets(secret)) == []


@pytest.mark.parametrize(
    "text",
    [
        "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAA\n-----END OPENSSH PRIVATE KEY-----",
        "postgresql://appuser:aB3dE5fG7h@db:5432/appdb",
        "user=appuser\npassword=aB3dE5fG7h\n",
        "#cloud-config\npassword: aB3dE5fG7h\n",
        '{"rps": 50, "password": "aB3dE5fG7h"}',
        "users:\n- passwd: $6$rounds=4096$saltsalt$aB3dE5fG7hJ9",
        TOKEN,
    ],
)
def test_text_that_looks_like_a_secret_is_refused_wherever_it_is_and_not_shown(text: str) -> None:
    found = list(no_secret_outside_secrets(config_map(settings=text)))
    assert found
    assert all(violation.startswith("data.settings looks like a secret (") for violation in found)
    assert "aB3dE5fG7h" not in "".join(found)
    user_data = no_secret_outside_secrets(machine((*SPEC, "volumes", 1, "cloudInitNoCloud"), {"userData": text}))
    assert "spec.template.spec.volumes[1].cloudInitNoCloud.userData" in next(user_data)
    assert list(no_secret_outside_secrets(machine(("metadata", "annotations"), {"note": text})))


@pytest.mark.parametrize("key", ["password", "DB_PASSWORD", "apiKey"])
def test_a_key_can_mark_its_value_as_a_secret(key: str) -> None:
    assert list(no_secret_outside_secrets(config_map(**{key: "aB3dE5fG7h"})))


@pytest.mark.parametrize(
    "data",
    [
        {"secretName": "shop-credentials"},
        {"passwordRef": "shop-credentials"},
        {"plan.json": '{"rps": 50, "profile": "constant", "seed": 7}'},
        {"ca.crt": "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----"},
        {"ssh": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMuPj6 someone@example"},
        {"sum": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"},
    ],
)
def test_references_public_keys_and_checksums_pass(data: dict[str, str]) -> None:
    assert list(no_secret_outside_secrets(config_map(**data))) == []


class Pack:
    """The pack in a process of its own, called over gRPC as the engine does."""

    def __init__(self, port: int) -> None:
        self.stub: Any = analyzer_pb2_grpc.AnalyzerStub(grpc.insecure_channel(f"127.0.0.1:{port}"))

    def analyze(
        self, inputs: dict[str, Any], resource_type: str = "kubernetes:core/v1:ConfigMap"
    ) -> list[tuple[str, str, int]]:
        """Return policy, message and enforcement level of each violation."""
        request = analyzer_pb2.AnalyzeRequest(
            type=resource_type, name="x", urn="urn:x", properties=ParseDict(inputs, Struct())
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


def marked(value: object) -> dict[str, Any]:
    return {SPECIAL_SIG_KEY: SPECIAL_SECRET_SIG, "value": value}


def test_the_pack_has_every_rule_and_all_are_mandatory(pack: Pack) -> None:
    info = pack.stub.GetAnalyzerInfo(Empty())
    assert [policy.name for policy in info.policies] == NAMES
    assert {policy.enforcementLevel for policy in info.policies} == {analyzer_pb2.MANDATORY}


@pytest.mark.parametrize("value", ["hunter2", UNKNOWN_STRING_VALUE], ids=["known", "unknown"])
def test_the_mark_of_a_secret_reaches_the_rule(pack: Pack, value: str) -> None:
    ((rule, message, level),) = pack.analyze(config_map(plan=marked(value)))
    assert rule == "no-secret-outside-secrets"
    assert "ConfigMap shop-load: data.plan is secret" in message
    assert "hunter2" not in message
    assert level == analyzer_pb2.MANDATORY


def test_unknown_values_and_other_resources_pass(pack: Pack) -> None:
    assert pack.analyze(config_map(plan=UNKNOWN_STRING_VALUE)) == []
    assert pack.analyze({"password": marked("hunter2")}, "random:index/randomPassword:RandomPassword") == []


def test_each_rule_has_a_level_of_its_own(pack: Pack) -> None:
    pack.configure(labels_present=analyzer_pb2.ADVISORY, no_latest_image=analyzer_pb2.DISABLED)
    found = pack.analyze({**config_map(image="debian"), "metadata": {"name": "x"}})
    assert [(rule, level) for rule, _, level in found] == [("labels-present", analyzer_pb2.ADVISORY)]


def test_the_example_of_levels_names_existing_rules() -> None:
    assert json.loads((PACK / "levels.json").read_text()).keys() <= {"all", *NAMES}
