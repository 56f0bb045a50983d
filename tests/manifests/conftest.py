"""A namespace on a real control plane, for dry runs."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest

from kube import client
from lab.config import Lab
from tests.manifests.admission import Admission


@pytest.fixture(scope="session")
def admission(control_plane: Lab) -> Admission:
    return Admission(client.connect(control_plane.kubeconfig))


@pytest.fixture(scope="session")
def namespace(admission: Admission) -> Iterator[str]:
    name = f"manifests-{uuid.uuid4().hex[:8]}"
    admission.make_namespace(name)
    yield name
    admission.remove_namespace(name)
