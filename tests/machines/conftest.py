"""One stack of QEMU machines on a real node, brought up once by the real engine."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import yaml

from lab import lifecycle
from lab.config import PROJECT, GuestKind, Lab
from lab.machines import images
from lab.toolchain.image import GOLDEN
from measure.failures import MeasureError
from tests.lab.conftest import new_key
from tests.lab.stack import Stack, wait_until
from tests.machines import image_server
from tests.machines.machine import BOOT_SECONDS, UP_SECONDS
from tests.own_lab import PROGRESS, own_lab


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    """A running lab with a real node."""
    with own_lab(kind=GuestKind.MACHINES) as installed:
        yield lifecycle.start(installed, PROGRESS)


@pytest.fixture(scope="session")
def server(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server of a small disk and, as a registry, of the golden image."""
    directory = tmp_path_factory.mktemp("images")
    image_server.fill(directory)
    image_server.add_image(directory, images.archives(lab, PROGRESS)[GOLDEN], GOLDEN.rpartition("/")[2])
    with image_server.serving(lab, directory) as address:
        yield address


@pytest.fixture(scope="session")
def stack(lab: Lab, server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The stack `machines`, with a root disk from a registry for the web tier; destroyed at the end of the session."""
    directory = tmp_path_factory.mktemp("machines")
    configuration = directory / "Pulumi.lab.yaml"
    document = yaml.safe_load((PROJECT / "stacks" / "Pulumi.machines.yaml").read_text())
    document["config"]["multi-tier:ssh"] = {"user": "ann", "authorizedKeys": [new_key(directory)]}
    registry = {"registry": f"{server}/{GOLDEN.rpartition('/')[2]}", "size": "5Gi"}
    document["config"]["multi-tier:web"]["image"] = registry
    # An emulated processor takes so long for a request that ten a second would keep the others from booting.
    document["config"]["multi-tier:load"]["rps"] = 1
    configuration.write_text(yaml.safe_dump(document))
    with Stack(lab, configuration, seconds=UP_SECONDS).deployed(30) as stack:
        # The load agent is started after the web tier, and on an emulated processor much later.
        wait_until("the stack's own load is sent", lambda: sends(stack), BOOT_SECONDS)
        yield stack


def sends(stack: Stack) -> bool:
    """Whether the load generator has sent a request."""
    try:
        return stack.load_cluster().status().samples.next > 0
    except MeasureError:
        return False
