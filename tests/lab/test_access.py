"""With the identity of deploy/access-*.yaml, a CI can preview, deploy, measure and destroy a stack, and nothing else.

Each of the two stacks has its own namespace beside the shared stack. The tests run in order.
"""

from __future__ import annotations

import re
import stat
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import yaml

from kube import client
from kube.errors import ApiError
from kube.resources import CONFIG_MAPS, NAMESPACES, ROLE_BINDINGS, ROLES, SECRETS, VIRTUAL_MACHINES, Resource
from lab import environment
from lab.config import PROJECT, Lab
from tests.documented_commands import Command, commands

DEPLOY = PROJECT / "deploy"
ACCESS_REVIEWS = Resource("authorization.k8s.io/v1", "selfsubjectaccessreviews", namespaced=False)
SHOWN = [one for one in commands(PROJECT / "docs" / "cluster-access.md") if one.in_block]
# Verbs that no stack needs, each on a `resource.group/subresource`.
FORBIDDEN = [
    ("create", "pods"),
    ("get", "pods"),
    ("create", "pods/exec"),
    ("get", "pods/log"),
    ("get", "nodes"),
    ("create", "serviceaccounts/token"),
    ("impersonate", "users"),
    ("escalate", "roles.rbac.authorization.k8s.io"),
    ("bind", "roles.rbac.authorization.k8s.io"),
    ("create", "clusterroles.rbac.authorization.k8s.io"),
    ("create", "clusterrolebindings.rbac.authorization.k8s.io"),
    ("get", "virtualmachineinstances.subresources.kubevirt.io/console"),
    ("update", "virtualmachines.subresources.kubevirt.io/start"),
    ("update", "secrets"),
    ("deletecollection", "virtualmachines.kubevirt.io"),
]
# The lab has Istio's kinds and no Istio: what goes through is as without a mesh.
IN_A_MESH: dict[str, Any] = {
    "createNamespace": False,
    "mesh": {
        "enabled": True,
        "mutualTls": "STRICT",
        "authorization": True,
        "faults": {"application": {"delay": {"percentage": 10, "fixedDelay": "500ms"}}},
    },
    "application": {"canary": {"version": "v2", "weight": 20}},
    "web": {"expose": {"kind": "Gateway", "host": "shop.example.com"}},
}

pytestmark = pytest.mark.usefixtures("other_kinds")


@dataclass(frozen=True)
class Deployer:
    """A CI with the identity of a manifest and its own stack."""

    lab: Lab
    kubeconfig: Path
    namespace: str
    configuration: Path

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            cwd=PROJECT,
            env={**environment.process_environment(self.lab), "KUBECONFIG": str(self.kubeconfig)},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    def pulumi(self, *arguments: str) -> str:
        stack = ("--stack", self.namespace, "--config-file", str(self.configuration))
        done = self.run("pulumi", "--non-interactive", *arguments, *stack)
        assert done.returncode == 0, f"pulumi {arguments[0]}:\n{done.stdout}\n{done.stderr}"
        return done.stdout + done.stderr

    def may(self, verb: str, resource: str, namespace: str) -> bool:
        name, _, subresource = resource.partition("/")
        kind, _, group = name.partition(".")
        asked = {"namespace": namespace, "verb": verb, "group": group, "resource": kind, "subresource": subresource}
        review = {"metadata": {}, "spec": {"resourceAttributes": asked}}
        return bool(client.connect(self.kubeconfig).create(ACCESS_REVIEWS, review)["status"]["allowed"])

    def measure(self, results: Path) -> subprocess.CompletedProcess[str]:
        where = ("--namespace", self.namespace, "--name", self.namespace, "--results", str(results))
        load = ("--rps", "20", "--for", "5s", "--gate", "error_rate=0.5")
        return self.run(sys.executable, "-m", "measure", "run", *where, *load)


def deployer(
    lab: Lab, directory: Path, namespace: str, manifest: str, home: str, settings: Mapping[str, Any]
) -> Deployer:
    """Follow docs/cluster-access.md as an administrator, and return the CI with that access."""
    administrator = environment.process_environment(lab)
    text = (DEPLOY / manifest).read_text()
    # As the manifests' sed command does.
    for former in ("namespace: multi-tier\n", '"multi-tier"', "deployer.multi-tier", ":multi-tier:"):
        text = text.replace(former, former.replace("multi-tier", namespace))
    text = re.sub("multi-tier-(database|application|web|load|credentials|fault)", rf"{namespace}-\1", text)
    subprocess.run(["kubectl", "apply", "-f", "-"], input=text, text=True, env=administrator, check=True, timeout=60)
    kubeconfig = directory / "ci.kubeconfig"
    command = [str(DEPLOY / "kubeconfig.sh"), home, str(kubeconfig), "1h"]
    subprocess.run(command, env=administrator, check=True, timeout=60)
    configuration = directory / f"Pulumi.{namespace}.yaml"
    document = yaml.safe_load((PROJECT / "stacks" / "Pulumi.lab.yaml").read_text())
    document["config"] |= {"multi-tier:name": namespace, "multi-tier:namespace": namespace}
    for key, value in settings.items():
        former = document["config"].get(f"multi-tier:{key}", {})
        document["config"][f"multi-tier:{key}"] = {**former, **value} if isinstance(value, dict) else value
    configuration.write_text(yaml.safe_dump(document))
    made = Deployer(lab, kubeconfig, namespace, configuration)
    assert made.run("pulumi", "--non-interactive", "stack", "select", "--create", namespace).returncode == 0
    # Pulumi writes the new stack's salt to a new file, but the configuration in use has one.
    (PROJECT / "stacks" / configuration.name).unlink(missing_ok=True)
    return made


@pytest.fixture(scope="module")
def in_namespace(control_plane: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployer]:
    """A CI for a namespace that an administrator created, and for a stack that needs every right there."""
    cluster, name = client.connect(control_plane.kubeconfig), "access-in"
    cluster.create(NAMESPACES, {"metadata": {"name": name}})
    directory = tmp_path_factory.mktemp(name)
    yield deployer(control_plane, directory, name, "access-in-namespace.yaml", name, IN_A_MESH)
    cluster.delete(NAMESPACES, name)


@pytest.fixture(scope="module")
def to_cluster(control_plane: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployer]:
    """A CI that creates its own namespace."""
    name, manifest = "access-to", "access-to-cluster.yaml"
    directory = tmp_path_factory.mktemp(name)
    yield deployer(control_plane, directory, name, manifest, "multi-tier-access", {"createNamespace": True})
    command = ["kubectl", "delete", "--wait=false", "--filename", str(DEPLOY / manifest)]
    subprocess.run(command, env=environment.process_environment(control_plane), check=True, timeout=60)


def run_from_preview_to_destroy(ci: Deployer, results: Path) -> None:
    """Preview, deploy, measure and destroy a stack with the CI's identity alone."""
    assert "forbidden" not in ci.pulumi("preview")
    assert "forbidden" not in ci.pulumi("up", "--yes", "--skip-preview", "--suppress-progress")
    assert "forbidden" not in ci.pulumi("preview", "--expect-no-changes")
    run = ci.measure(results)
    assert run.returncode == 0, run.stdout + run.stderr
    (summary,) = results.glob("*/summary.json")
    assert "multi-tier-golden" in summary.read_text(), "the summary lacks the machines' images"
    assert "forbidden" not in ci.pulumi("destroy", "--yes", "--skip-preview", "--suppress-progress", "--remove")


def test_the_kubeconfig_is_private_and_holds_a_token(in_namespace: Deployer) -> None:
    assert stat.S_IMODE(in_namespace.kubeconfig.stat().st_mode) == 0o600
    (user,) = yaml.safe_load(in_namespace.kubeconfig.read_text())["users"]
    assert user["user"].keys() == {"token"}
    who = in_namespace.run("kubectl", "auth", "whoami", "--output", "jsonpath={.status.userInfo.username}").stdout
    assert who == "system:serviceaccount:access-in:multi-tier-deployer"


def test_a_stack_runs_in_an_existing_namespace(in_namespace: Deployer, tmp_path: Path) -> None:
    run_from_preview_to_destroy(in_namespace, tmp_path)


@pytest.mark.parametrize(("verb", "resource"), FORBIDDEN)
def test_verbs_that_no_stack_needs_are_denied(in_namespace: Deployer, verb: str, resource: str) -> None:
    assert not in_namespace.may(verb, resource, in_namespace.namespace)


@pytest.mark.parametrize(
    "resource", ["secrets", "configmaps", "virtualmachines.kubevirt.io", "services/proxy", "events"]
)
def test_other_namespaces_are_denied(in_namespace: Deployer, resource: str) -> None:
    for verb, namespace in product(("get", "list", "create", "delete"), ("default", "kube-system", "multi-tier")):
        assert not in_namespace.may(verb, resource, namespace)
        assert not in_namespace.may(verb, "namespaces", namespace)


def test_verbs_that_a_stack_needs_are_allowed(in_namespace: Deployer) -> None:
    assert in_namespace.may("get", "services/proxy", in_namespace.namespace)
    assert in_namespace.may("patch", "virtualmachines.kubevirt.io", in_namespace.namespace)


@pytest.mark.parametrize("command", [one for one in SHOWN if one.section == "check-it-yourself"], ids=str)
def test_the_rights_are_those_that_the_page_shows(in_namespace: Deployer, command: Command) -> None:
    text = command.text.replace("multi-tier", in_namespace.namespace)
    done = in_namespace.run("sh", "-c", f"cd {in_namespace.kubeconfig.parent} && {text}")
    assert done.stdout.splitlines() == command.shown or (not command.shown and "virtualmachines" in done.stdout)


def test_a_clone_of_a_golden_image_is_allowed_as_the_page_shows(control_plane: Lab) -> None:
    cluster, environ = client.connect(control_plane.kubeconfig), environment.process_environment(control_plane)
    asked = "kubectl auth can-i create datavolumes.cdi.kubevirt.io --subresource=source -n golden-images"
    account = "--as system:serviceaccount:multi-tier:default"
    granted = [one.text for one in SHOWN if one.text.startswith("kubectl create role")]
    cluster.create(NAMESPACES, {"metadata": {"name": "golden-images"}})
    try:
        script = f"{asked} {account}\n" + "\n".join([*granted, f"{asked} {account}"])
        done = subprocess.run(
            ["sh", "-c", script], env=environ, capture_output=True, text=True, timeout=60, check=False
        )
        assert [line for line in done.stdout.splitlines() if "/" not in line] == ["no", "yes"], done.stderr
    finally:
        cluster.delete(NAMESPACES, "golden-images")


def test_granting_more_than_the_identity_has_is_denied(in_namespace: Deployer) -> None:
    role = ["create", "role", "more", "--verb=create", "--resource=pods/exec", "-n", in_namespace.namespace]
    refused = in_namespace.run("kubectl", *role)
    assert refused.returncode != 0
    assert "attempting to grant RBAC permissions not currently held" in refused.stderr


@pytest.mark.parametrize("account", ["default", "multi-tier-deployer"])
def test_the_deployer_can_not_obtain_a_permanent_token(in_namespace: Deployer, account: str) -> None:
    cluster, where = client.connect(in_namespace.kubeconfig), {"namespace": in_namespace.namespace}
    token = {
        "metadata": {**where, "name": "token", "annotations": {"kubernetes.io/service-account.name": account}},
        "type": "kubernetes.io/service-account-token",
    }
    with pytest.raises(ApiError, match="may create a token only for a tier's ServiceAccount"):
        cluster.create(SECRETS, token)
    subjects = [{"kind": "ServiceAccount", "name": "access-in-load", **where}]
    role = {"kind": "Role", "name": "multi-tier-deployer", "apiGroup": "rbac.authorization.k8s.io"}
    with pytest.raises(ApiError, match="may bind only the tiers' Roles"):
        cluster.create(ROLE_BINDINGS, {"metadata": {**where, "name": "x"}, "roleRef": role, "subjects": subjects})
    rule = {"apiGroups": [""], "resources": ["secrets"], "resourceNames": ["access-in-credentials"], "verbs": ["get"]}
    with pytest.raises(ApiError, match="may create only the tiers' Roles"):
        cluster.create(ROLES, {"metadata": {**where, "name": "x"}, "rules": [rule]})


@pytest.mark.parametrize(
    "change",
    [
        {"resourceNames": []},
        {"resourceNames": ["access-in-database"]},
        {"verbs": ["get", "patch"]},
        {"resources": ["configmaps"], "resourceNames": ["another"]},
        {"resources": ["configmaps"], "resourceNames": []},
        {"resources": ["services"]},
    ],
    ids=str,
)
def test_a_tiers_role_can_not_hold_more_than_the_tier_needs(
    in_namespace: Deployer, change: dict[str, list[str]]
) -> None:
    cluster, metadata = client.connect(in_namespace.kubeconfig), {"namespace": "access-in", "name": "access-in-web"}
    rule = {"apiGroups": [""], "resources": ["secrets"], "resourceNames": ["access-in-credentials"], "verbs": ["get"]}
    with pytest.raises(ApiError, match="may hold only reading the Secret access-in-credentials"):
        cluster.create(ROLES, {"metadata": metadata, "rules": [{**rule, **change}]})


def test_the_deployer_can_not_hand_a_guest_another_service_account(in_namespace: Deployer) -> None:
    volume = {"name": "token", "serviceAccount": {"serviceAccountName": "multi-tier-deployer"}}
    disk = {"name": "token", "disk": {}}
    instance = {
        "domain": {"devices": {"disks": [disk]}, "memory": {"guest": "128Mi"}},
        "volumes": [volume],
    }
    machine = {
        "apiVersion": VIRTUAL_MACHINES.api_version,
        "kind": "VirtualMachine",
        "metadata": {"name": "x", "namespace": in_namespace.namespace},
        "spec": {"runStrategy": "Halted", "template": {"spec": instance}},
    }
    with pytest.raises(ApiError, match="may mount no ServiceAccount but a tier's"):
        client.connect(in_namespace.kubeconfig).create(VIRTUAL_MACHINES, machine)


def test_a_stack_runs_in_a_namespace_it_creates(to_cluster: Deployer, tmp_path: Path) -> None:
    run_from_preview_to_destroy(to_cluster, tmp_path)
    assert client.connect(to_cluster.lab.kubeconfig).find(NAMESPACES, to_cluster.namespace) is None


@pytest.mark.parametrize(("verb", "resource"), FORBIDDEN)
def test_creating_namespaces_allows_nothing_more_in_others(to_cluster: Deployer, verb: str, resource: str) -> None:
    assert not to_cluster.may(verb, resource, "default")


def test_writes_to_another_namespace_are_refused(to_cluster: Deployer) -> None:
    cluster = client.connect(to_cluster.kubeconfig)
    for namespace in ("default", "kube-system"):
        with pytest.raises(ApiError, match="may write to its own namespace only"):
            cluster.create(CONFIG_MAPS, {"metadata": {"name": "x", "namespace": namespace}})
    with pytest.raises(ApiError, match="may write to its own namespace only"):
        cluster.create(NAMESPACES, {"metadata": {"name": "another"}})
    with pytest.raises(ApiError, match="may write to its own namespace only"):
        cluster.request("GET", "/api/v1/namespaces/default/services/kubernetes:https/proxy/")
    with pytest.raises(ApiError, match="forbidden"):
        cluster.delete(NAMESPACES, "default")
