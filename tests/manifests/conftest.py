"""A namespace on a real control plane, in which objects are tried and not kept."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import pytest

from tests.manifests.admission import Admission


class ControlPlane(Protocol):
    """What these tests need of the session's control plane."""

    @property
    def kubeconfig(self) -> Path: ...


@pytest.fixture(scope="session")
def admission(control_plane: ControlPlane) -> Admission:
    return Admission(control_plane.kubeconfig)


@pytest.fixture(scope="session")
def namespace(admission: Admission) -> Iterator[str]:
    name = f"manifests-{uuid.uuid4().hex[:8]}"
    admission.make_namespace(name)
    yield name
    admission.remove_namespace(name)
