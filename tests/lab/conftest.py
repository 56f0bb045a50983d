"""One stack for all tests of a stack's life, brought up once by the real engine."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import yaml

from lab.config import PROJECT, Lab
from tests.lab.stack import Stack, wait_until


@pytest.fixture(scope="session")
def stack(control_plane: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The stack `lab`, up; destroyed at the end, whatever the tests left of it."""
    configuration = tmp_path_factory.mktemp("stack") / "Pulumi.lab.yaml"
    document = yaml.safe_load((PROJECT / "stacks" / "Pulumi.lab.yaml").read_text())
    document["config"]["multi-tier:metrics"] = {"enabled": True}
    configuration.write_text(yaml.safe_dump(document))
    stack = Stack(control_plane, configuration)
    assert stack.run("stack", "select", "--create", "lab").returncode == 0
    try:
        stack.up()
        wait_until("the web Service's address works on this machine", stack.answers, 5)
        yield stack
    finally:
        stack.run("destroy", "--yes", "--skip-preview", "--stack", "lab", "--config-file", str(configuration))
