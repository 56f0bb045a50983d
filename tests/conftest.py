"""The real lab for tests that need one: started once, in a directory and on a subnet of its own, removed at the end."""

from __future__ import annotations

import os
from collections.abc import Iterator
from ipaddress import IPv4Network

import pytest
from rich.console import Console

from lab import lifecycle
from lab.config import PROJECT, Lab
from lab.progress import Progress

TEST_SUBNET = "10.97.0.0/16"


@pytest.fixture(scope="session")
def test_lab() -> Lab:
    """The names and places of the test's lab; nothing runs yet."""
    return Lab(PROJECT / ".lab-test", IPv4Network(os.environ.get("MULTI_TIER_TEST_SUBNET", TEST_SUBNET)))


@pytest.fixture(scope="session")
def installed_lab(test_lab: Lab) -> Iterator[Lab]:
    """The test's lab with its programs and its guest image, built where they are in no cache; nothing runs yet."""
    progress = Progress(Console(stderr=True, width=120))
    lifecycle.stop(test_lab, progress)  # what an interrupted run has left
    lifecycle.install(test_lab, progress)
    yield test_lab
    lifecycle.stop(test_lab, progress)


@pytest.fixture(scope="session")
def control_plane(installed_lab: Lab) -> Lab:
    """A running lab: Kubernetes, KubeVirt and CDI, without a guest yet."""
    lifecycle.start(installed_lab, Progress(Console(stderr=True, width=120)))
    return installed_lab


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden",
        action="store_true",
        help="write what is rendered now to the golden files (pytest tests/unit --update-golden), then read the diff",
    )
