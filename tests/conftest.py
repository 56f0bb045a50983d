"""A real lab for the tests that need one, started once per session."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from kube import client
from lab import lifecycle
from lab.config import Lab
from tests.manifests.kinds import definitions
from tests.own_lab import PROGRESS, own_lab


@pytest.fixture(scope="session")
def installed_lab() -> Iterator[Lab]:
    """A lab with its programs and its guest image, built unless they are cached. Nothing runs yet."""
    with own_lab() as lab:
        lifecycle.install(lab, PROGRESS)
        yield lab


@pytest.fixture(scope="session")
def control_plane(installed_lab: Lab) -> Lab:
    """A running lab without a guest."""
    return lifecycle.start(installed_lab, PROGRESS)


@pytest.fixture(scope="session")
def other_kinds(control_plane: Lab) -> None:
    """The kinds that other clusters have and the lab lacks, from their projects' own definitions."""
    cluster = client.connect(control_plane.kubeconfig)
    found = definitions()
    cluster.apply(*found)
    cluster.wait_served(found)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden",
        action="store_true",
        help="write the rendered output to the golden files (pytest tests/unit --update-golden); then review the diff",
    )
