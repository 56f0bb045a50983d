"""`pulumi up` refuses an invalid stack configuration with one line per mistake, before it creates anything."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from kube import client
from kube.resources import CONFIG_MAPS, DATA_VOLUMES, NAMESPACES, SECRETS
from lab.config import PROJECT, Lab
from tests.lab.stack import NAME, Stack

MISTAKES = """\
  multi-tier:namespace: refused
  multi-tier:databse: {}
  multi-tier:application:
    replicas: two
    image:
      containerDisk: localhost/multi-tier-golden:debian-12
  multi-tier:web:
    vcpu: 2
    memory: 64MB
  multi-tier:load:
    rps: 0
"""
REFUSALS = (
    "multi-tier:databse: is unknown; did you mean database?",
    'multi-tier:application.replicas: "two" must be a whole number',
    "multi-tier:web.vcpu: is unknown; did you mean vcpus?",
    'multi-tier:web.memory: "64MB" must be a quantity',
    "multi-tier:load.rps: 0 must be a whole number from 1",
)
# Inside an existing namespace, and without the policies that everything else depends on.
INSIDE = """\
  multi-tier:namespace: {}
  multi-tier:createNamespace: "false"
  multi-tier:networkPolicies:
    enabled: false
"""


def test_every_mistake_gets_one_line_and_nothing_is_created(control_plane: Lab, tmp_path: Path) -> None:
    configuration = tmp_path / "Pulumi.lab.yaml"
    _, comment, rest = (PROJECT / "stacks" / "Pulumi.lab.yaml").read_text().partition("encryptionsalt:")
    configuration.write_text(f"config:\n{MISTAKES}{comment}{rest}")
    stack = Stack(control_plane, configuration)
    assert stack.run("stack", "select", "--create", "lab").returncode == 0
    done = stack.run("up", "--yes", "--skip-preview", "--stack", "lab", "--config-file", str(configuration))
    said = done.stdout + done.stderr
    assert done.returncode != 0
    diagnostics = said.partition("Diagnostics:")[2].partition("Resources:")[0].splitlines()
    for refusal in REFUSALS:
        assert sum(refusal in line for line in diagnostics) == 1, f"{refusal}\nin:\n{said}"
    assert "Traceback" not in said
    assert stack.cluster.find(NAMESPACES, "refused") is None


def configured(lab: Lab, directory: Path, settings: str) -> Stack:
    """Return the lab's stack with more top-level settings, in YAML, and without load."""
    text = (PROJECT / "stacks" / "Pulumi.lab.yaml").read_text()
    for old, new in (("config:\n", f"config:\n{settings}"), ("    rps: 50\n", "    enabled: false\n")):
        assert text.count(old) == 1
        text = text.replace(old, new)
    file = directory / "Pulumi.lab.yaml"
    file.write_text(text)
    return Stack(lab, file)


def engine(stack: Stack, command: str, name: str, *arguments: str) -> tuple[int, str]:
    """Run the engine on a stack that is created if it is missing; return the exit code and the output."""
    assert stack.run("stack", "select", "--create", name).returncode == 0
    # The engine writes the salt of a new stack to a new file, but the configuration in use has one.
    (PROJECT / "stacks" / f"Pulumi.{name}.yaml").unlink(missing_ok=True)
    where = ("--stack", name, "--config-file", str(stack.configuration))
    done = stack.run(command, *({"preview": ()}.get(command, ("--yes", "--skip-preview"))), *where, *arguments)
    return done.returncode, done.stdout + done.stderr


@pytest.fixture
def namespace(control_plane: Lab) -> Iterator[str]:
    """A namespace with a ConfigMap that isn't the stack's."""
    cluster, name = client.connect(control_plane.kubeconfig), f"others-{secrets.token_hex(4)}"
    cluster.create(NAMESPACES, {"metadata": {"name": name}})
    cluster.create(CONFIG_MAPS, {"metadata": {"name": "settings", "namespace": name}, "data": {"a": "b"}})
    yield name
    cluster.delete(NAMESPACES, name)


def test_an_existing_namespace_is_refused_and_stays_as_it_is(
    control_plane: Lab, tmp_path: Path, namespace: str
) -> None:
    stack = configured(control_plane, tmp_path, f"  multi-tier:namespace: {namespace}\n")
    before = stack.cluster.get(NAMESPACES, namespace)
    for command in ("preview", "up", "destroy"):
        code, said = engine(stack, command, "taken")
        assert (code == 0) is (command == "destroy"), said
        if command != "destroy":
            diagnostics = said.partition("Diagnostics:")[2].partition("Resources:")[0]
            assert diagnostics.count(f'multi-tier:namespace: "{namespace}" exists already') == 1, said
            assert "set createNamespace to false" in diagnostics
    assert stack.cluster.get(NAMESPACES, namespace) == before
    assert stack.cluster.get(CONFIG_MAPS, "settings", namespace)["data"] == {"a": "b"}


def test_a_second_stack_of_the_same_name_is_refused_and_the_first_one_goes_on(
    control_plane: Lab, tmp_path: Path, namespace: str
) -> None:
    stack = configured(control_plane, tmp_path, INSIDE.format(namespace))
    # As an interrupted `up` leaves it: the credentials exist, and nothing that comes after them.
    code, said = engine(stack, "up", "first", "--target", "**Credentials**")
    assert code == 0, said
    secret = stack.cluster.get(SECRETS, f"{NAME}-credentials", namespace)

    for command in ("preview", "up", "destroy"):
        code, said = engine(stack, command, "second")
        assert (code == 0) is (command == "destroy"), said
        if command != "destroy":
            assert said.count(f'multi-tier:name: "{NAME}" is taken in namespace {namespace}: Secret') >= 1, said
    assert stack.cluster.get(SECRETS, f"{NAME}-credentials", namespace) == secret

    code, said = engine(stack, "preview", "first")
    assert code == 0, f"its own objects are refused:\n{said}"
    assert engine(stack, "destroy", "first")[0] == 0
    assert stack.cluster.find(SECRETS, f"{NAME}-credentials", namespace) is None


def test_a_change_that_would_lose_the_data_is_refused(control_plane: Lab, tmp_path: Path, namespace: str) -> None:
    stack = configured(control_plane, tmp_path, INSIDE.format(namespace))
    targets = [
        word for one in ("Credentials**", "Database::database", "DataVolume::*") for word in ("--target", f"**{one}")
    ]
    code, said = engine(stack, "up", "filled", *targets)
    assert code == 0, said

    def disk() -> tuple[object, ...]:
        found = stack.cluster.get(DATA_VOLUMES, f"{NAME}-database-0-data", namespace)
        return found["metadata"]["uid"], found["metadata"]["annotations"], found["spec"]

    before = disk()
    text = stack.configuration.read_text()
    changes = {
        "database.scale: 20 instead of 10 would delete": ("  multi-tier:database:\n", "    scale: 20\n"),
        'name: "shop" instead of "multi-tier" would delete': ("config:\n", "  multi-tier:name: shop\n"),
        "database.image: has PostgreSQL 17": ("golden:debian-12", ""),
    }
    for refusal, (key, addition) in changes.items():
        after = text.replace(key, key + addition, 1) if addition else text.replace(key, "golden:debian-13", 1)
        stack.configuration.write_text(after)
        for command in ("preview", "up"):
            code, said = engine(stack, command, "filled")
            assert code != 0, said
            assert f"multi-tier:{refusal}" in said, said
    assert disk() == before

    stack.configuration.write_text(
        text.replace("  multi-tier:database:\n", "  multi-tier:database:\n    scale: 20\n    allowDataLoss: true\n")
    )
    code, said = engine(stack, "preview", "filled")
    assert code == 0, said
    assert engine(stack, "destroy", "filled")[0] == 0


def test_another_cluster_than_the_stacks_is_refused(control_plane: Lab, tmp_path: Path, namespace: str) -> None:
    stack = configured(control_plane, tmp_path, INSIDE.format(namespace))
    code, said = engine(stack, "up", "moved", "--target", "**Credentials**")
    assert code == 0, said
    here, there = stack.cluster.server, "https://192.0.2.1:6443"
    state = stack.run("stack", "export", "--stack", "moved").stdout
    assert here in state
    file = tmp_path / "state.json"
    file.write_text(state.replace(here, there))
    assert stack.run("stack", "import", "--stack", "moved", "--file", str(file)).returncode == 0

    code, said = engine(stack, "preview", "moved")
    assert code == 0, f"with the stack's objects, it is the same cluster:\n{said}"

    stack.cluster.delete(SECRETS, f"{NAME}-credentials", namespace)
    for command in ("preview", "up"):
        code, said = engine(stack, command, "moved")
        assert code != 0, said
        assert f"The stack is on the cluster at {there}, but {here} has none of its objects." in said, said
    assert stack.cluster.list(SECRETS, namespace)[0] == []
    assert stack.run("stack", "rm", "--yes", "--force", "--stack", "moved").returncode == 0
