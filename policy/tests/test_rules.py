"""What each rule refuses and what it lets pass, on manifests as the program makes them."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import pytest

from rules import RULES
from rules.images import IMAGES
from rules.labels import LABELS, REQUIRED
from rules.limits import LIMITS
from rules.manifest import UNKNOWN, Manifest, Marked, Rule
from rules.probes import PROBES
from rules.secrecy import SECRECY

LABELLED = dict.fromkeys(REQUIRED, "x")
MACHINE: dict[str, Any] = {
    "apiVersion": "kubevirt.io/v1",
    "kind": "VirtualMachine",
    "metadata": {"name": "shop-web-0", "labels": LABELLED, "annotations": {"pulumi.com/waitFor": "condition=Ready"}},
    "spec": {
        "runStrategy": "Always",
        "template": {
            "metadata": {"labels": LABELLED},
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


def problems(rule: Rule, body: Mapping[str, Any]) -> list[str]:
    manifest = Manifest.of("kubernetes:x/v1:Kind", body)
    assert manifest
    return list(rule.problems(manifest))


def changed(path: tuple[str | int, ...], value: object) -> dict[str, Any]:
    """Return the machine with another value at a path; without it where the value is None."""
    machine = copy.deepcopy(MACHINE)
    holder: Any = machine
    for key in path[:-1]:
        holder = holder[key]
    if value is None:
        del holder[path[-1]]
    else:
        holder[path[-1]] = value
    return machine


def config_map(**data: object) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x", "labels": LABELLED}, "data": data}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_a_machine_as_the_program_makes_it_passes(rule: Rule) -> None:
    assert problems(rule, MACHINE) == []


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_what_is_not_known_in_a_preview_passes(rule: Rule) -> None:
    assert problems(rule, changed(("spec", "template"), UNKNOWN)) == []


def test_what_is_no_object_of_a_cluster_is_nobodys_business() -> None:
    assert Manifest.of("random:index/randomPassword:RandomPassword", {"result": "x"}) is None
    assert Manifest.of("multi-tier:components:Web", {}) is None


@pytest.mark.parametrize(
    "image",
    ["debian", "quay.io/containerdisks/debian", "quay.io:443/debian", "debian:latest", "quay.io/x/debian:latest"],
)
def test_an_image_without_a_version_is_refused(image: str) -> None:
    (problem,) = problems(IMAGES, changed(IMAGE, image))
    assert problem.startswith(f"spec.template.spec.volumes[0].containerDisk.image is {image}, ")
    assert problem.endswith("name a version or a digest.")


@pytest.mark.parametrize("image", ["debian:12", "localhost:5000/debian:12", "debian@sha256:0123", UNKNOWN])
def test_an_image_with_a_version_passes(image: object) -> None:
    assert problems(IMAGES, changed(IMAGE, image)) == []


def test_a_disk_from_a_registry_needs_a_version_too() -> None:
    body = {"apiVersion": "cdi.kubevirt.io/v1beta1", "kind": "DataVolume"}
    refused = {**body, "spec": {"source": {"registry": {"url": "docker://quay.io/containerdisks/debian"}}}}
    passed = {**body, "spec": {"source": {"http": {"url": "https://images.example/latest"}}}}
    assert len(problems(IMAGES, refused)) == 1
    assert problems(IMAGES, passed) == []


@pytest.mark.parametrize("label", REQUIRED)
def test_each_label_is_required_of_the_machine_and_of_its_instances(label: str) -> None:
    fewer = {other: "x" for other in REQUIRED if other != label}
    assert problems(LABELS, changed(("metadata", "labels"), fewer)) == [f"metadata.labels lacks {label}."]
    of_instances = changed(("spec", "template", "metadata", "labels"), fewer)
    assert problems(LABELS, of_instances) == [f"spec.template.metadata.labels lacks {label}."]


def test_an_object_without_any_label_lacks_all() -> None:
    (problem,) = problems(LABELS, {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "x"}})
    assert all(label in problem for label in REQUIRED)


@pytest.mark.parametrize(("part", "what"), [("memory", "memory"), ("cpu", "cpu")])
def test_a_machine_without_a_size_is_refused(part: str, what: str) -> None:
    (problem,) = problems(LIMITS, changed((*SPEC, "domain", part), None))
    assert f"spec.template.spec.domain.{part}" in problem
    assert f"give the machine {what}" in problem


def test_an_instancetype_or_resources_are_a_size() -> None:
    bare = changed((*SPEC, "domain"), {})
    assert len(problems(LIMITS, bare)) == 2
    bare["spec"]["instancetype"] = {"name": "u1.small"}
    assert problems(LIMITS, bare) == []
    resources = {"resources": {"limits": {"memory": "1Gi", "cpu": "1"}}}
    assert problems(LIMITS, changed((*SPEC, "domain"), resources)) == []


@pytest.mark.parametrize("probe", [None, {}, {"periodSeconds": 1}])
def test_a_machine_without_a_readiness_probe_is_refused(probe: object) -> None:
    (problem,) = problems(PROBES, changed((*SPEC, "readinessProbe"), probe))
    assert problem.startswith("spec.template.spec.readinessProbe is missing")


@pytest.mark.parametrize("rule", [LIMITS, PROBES])
def test_a_pools_machines_are_held_to_the_same(rule: Rule) -> None:
    spec: dict[str, Any] = {"virtualMachineTemplate": {"spec": {"template": {"spec": {"domain": {}}}}}}
    pool = {"apiVersion": "pool.kubevirt.io/v1beta1", "kind": "VirtualMachinePool", "spec": spec}
    assert problems(rule, pool)


def test_a_marked_value_is_refused_outside_of_secrets_and_not_shown() -> None:
    for value in (Marked("hunter2"), Marked(UNKNOWN), Marked({"a": "hunter2"})):
        (problem,) = problems(SECRECY, config_map(plan=value))
        assert problem == "data.plan is secret: keep it in a Secret and refer to that."
    secret = {"apiVersion": "v1", "kind": "Secret", "stringData": Marked({"password": "hunter2"})}
    assert problems(SECRECY, secret) == []


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
def test_what_looks_like_a_secret_is_refused_and_not_shown(text: str) -> None:
    found = problems(SECRECY, config_map(settings=text))
    assert found
    assert all(problem.startswith("data.settings looks like a secret (") for problem in found)
    assert "aB3dE5fG7h" not in "".join(found)
    in_a_machine = changed((*SPEC, "volumes", 1, "cloudInitNoCloud"), {"userData": text})
    assert "spec.template.spec.volumes[1].cloudInitNoCloud.userData" in problems(SECRECY, in_a_machine)[0]
    assert problems(SECRECY, changed(("metadata", "annotations"), {"note": text}))


@pytest.mark.parametrize(
    "data",
    [
        {"password": "aB3dE5fG7h"},
        {"DB_PASSWORD": "aB3dE5fG7h"},
        {"apiKey": "aB3dE5fG7h"},
    ],
)
def test_a_key_can_give_its_value_away(data: dict[str, str]) -> None:
    assert problems(SECRECY, config_map(**data))


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
def test_a_reference_a_public_key_and_a_checksum_are_no_secrets(data: dict[str, str]) -> None:
    assert problems(SECRECY, config_map(**data)) == []
