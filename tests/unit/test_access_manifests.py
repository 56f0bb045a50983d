"""The manifests of deploy/ grant what the program needs, and nothing else."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.names import TierName
from components.settings import Settings
from tests.unit.components.mocks import deploy

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
IN_NAMESPACE, TO_CLUSTER = DEPLOY / "access-in-namespace.yaml", DEPLOY / "access-to-cluster.yaml"
MANAGE = ["get", "list", "watch", "create", "patch", "delete"]
EVERYTHING: list[dict[str, Any]] = [
    {},
    {"load": {"dedicated": True}},
    {"metrics": {"enabled": True, "serviceMonitors": True}},
    {"application": {"cpuRequest": 1, "pool": {"enabled": True, "autoscaling": {"maxReplicas": 2}}}},
    {
        "mesh": {"enabled": True, "authorization": True, "mutualTls": "STRICT"},
        "application": {"canary": {"version": "v2", "weight": 10}},
        "web": {"expose": {"kind": "Gateway"}},
    },
]
# Plurals as the API spells them, where a letter at the end isn't all.
PLURALS = {
    "NetworkPolicy": "networkpolicies",
    "AuthorizationPolicy": "authorizationpolicies",
    "Ingress": "ingresses",
}


def rules(manifest: Path, kind: str) -> list[dict[str, Any]]:
    (role,) = (one for one in yaml.safe_load_all(manifest.read_text()) if one["kind"] == kind)
    found: list[dict[str, Any]] = role["rules"]
    return found


def test_both_manifests_grant_the_same_but_for_the_namespace_itself() -> None:
    in_namespace, to_cluster = rules(IN_NAMESPACE, "Role"), rules(TO_CLUSTER, "ClusterRole")
    assert to_cluster[: len(in_namespace)] == in_namespace
    assert {name for rule in to_cluster[len(in_namespace) :] for name in rule["resources"]} == {"namespaces"}


def test_no_rule_is_for_everything_or_lets_grant_more_than_one_has() -> None:
    for rule in rules(TO_CLUSTER, "ClusterRole"):
        words = {*rule["apiGroups"], *rule["resources"], *rule["verbs"]}
        assert not words & {"*", "escalate", "impersonate"}
        if "bind" in words:
            assert rule["resourceNames"] == [Settings().names.service_account(tier) for tier in TierName]
        assert not any(name.startswith("pods") for name in rule["resources"])


@pytest.mark.parametrize("config", EVERYTHING)
def test_every_kind_of_object_that_the_program_makes_may_be_managed(config: dict[str, Any]) -> None:
    granted = {
        (group, resource)
        for rule in rules(IN_NAMESPACE, "Role")
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        if rule["verbs"] == MANAGE
    }
    for one in deploy(config).objects:
        group = str(one.inputs["apiVersion"]).rpartition("/")[0]
        resource = PLURALS.get(one.kind, f"{one.kind.lower()}s")
        assert (group, resource) in granted or one.kind == "Namespace", f"no rule for {one.urn}"


def test_the_identity_is_bound_in_its_own_namespace_only() -> None:
    objects = [one for one in yaml.safe_load_all(IN_NAMESPACE.read_text()) if "AdmissionPolicy" not in one["kind"]]
    assert {one["kind"] for one in objects} == {"ServiceAccount", "Role", "RoleBinding"}
    assert {one["metadata"]["namespace"] for one in objects} == {"multi-tier"}


def test_both_manifests_restrict_what_the_deployer_may_write_in_the_same_way() -> None:
    in_namespace, to_cluster = (
        one["spec"]["validations"]
        for manifest in (IN_NAMESPACE, TO_CLUSTER)
        for one in yaml.safe_load_all(manifest.read_text())
        if one["kind"] == "ValidatingAdmissionPolicy"
    )
    assert to_cluster[1:] == in_namespace
    assert "request.namespace" in to_cluster[0]["expression"]


def test_shellcheck_has_nothing_to_say_about_the_script() -> None:
    shellcheck = Path(sys.executable).with_name("shellcheck")
    done = subprocess.run([shellcheck, DEPLOY / "kubeconfig.sh"], capture_output=True, text=True, check=False)
    assert done.stdout == ""


@pytest.mark.parametrize("manifest", [IN_NAMESPACE, TO_CLUSTER])
def test_the_command_in_a_manifest_adapts_it_to_another_name(manifest: Path) -> None:
    text = manifest.read_text()
    comment = text.partition("apiVersion:")[0].replace("\\\n#", "").replace("\n#", " ")
    (script,) = re.findall(r"sed -E '(.*?)'", comment)
    renamed = subprocess.run(["sed", "-E", script], input=text, capture_output=True, text=True, check=True).stdout
    left = set(re.findall(r"multi-tier[\w-]*", renamed.partition("apiVersion:")[2]))
    assert left <= {"multi-tier-deployer", "multi-tier-access"}
