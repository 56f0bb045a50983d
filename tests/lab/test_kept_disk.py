"""A data disk that outlives its stack, in a namespace that exists already. The tests run in order."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import yaml

from kube import client
from kube.resources import NAMESPACES, PERSISTENT_VOLUME_CLAIMS
from lab.config import PROJECT, Lab
from tests.lab.stack import Stack, wait_until

NAME = "kept"
MARK = 4_711
MARKED_ACCOUNT = 42


@pytest.fixture(scope="module")
def stack(control_plane: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    configuration = tmp_path_factory.mktemp(NAME) / "Pulumi.kept.yaml"
    document = yaml.safe_load((PROJECT / "stacks" / "Pulumi.lab.yaml").read_text())
    document["config"] |= {"multi-tier:name": NAME, "multi-tier:namespace": NAME, "multi-tier:createNamespace": False}
    document["config"]["multi-tier:database"]["dataDisk"]["keep"] = True
    document["config"]["multi-tier:load"] = {"enabled": False}
    configuration.write_text(yaml.safe_dump(document))
    cluster = client.connect(control_plane.kubeconfig)
    cluster.create(NAMESPACES, {"metadata": {"name": NAME}})
    kept = Stack(control_plane, configuration, NAME, NAME)
    assert kept.run("stack", "select", "--create", NAME).returncode == 0
    # Pulumi writes the new stack's salt to a new file, but the configuration in use has one.
    (PROJECT / "stacks" / configuration.name).unlink(missing_ok=True)
    yield kept
    kept.pulumi("destroy", "--yes", "--skip-preview")
    cluster.delete(NAMESPACES, NAME)


def claims(stack: Stack) -> list[str]:
    return [claim["metadata"]["name"] for claim in stack.cluster.list(PERSISTENT_VOLUME_CLAIMS, NAME)[0]]


def test_destroy_keeps_the_disk(stack: Stack) -> None:
    stack.up()
    with stack.database() as connection:
        connection.execute("UPDATE pgbench_accounts SET abalance = %s WHERE aid = %s", (MARK, MARKED_ACCOUNT))
    assert "destroy keeps it" in stack.outputs()["dataDisk"]
    stack.pulumi("destroy", "--yes", "--skip-preview")
    assert claims(stack) == [f"{NAME}-database-0-data"]


def test_the_next_stack_adopts_the_disk_with_its_data(stack: Stack) -> None:
    stack.up()
    with stack.database() as connection:
        (balance,) = connection.execute(
            "SELECT abalance FROM pgbench_accounts WHERE aid = %s", (MARKED_ACCOUNT,)
        ).fetchone() or (None,)
    assert balance == MARK


def test_a_disk_that_is_no_longer_kept_is_deleted(stack: Stack) -> None:
    stack.configure("multi-tier:database.dataDisk.keep", "false")
    stack.up()
    stack.pulumi("destroy", "--yes", "--skip-preview")
    wait_until("the disk is gone", lambda: claims(stack) == [])
