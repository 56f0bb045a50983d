"""The guest image, for tests of what runs in it: real packages, without booting anything."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.config import Lab
from lab.toolchain.image import GOLDEN as GOLDEN_IMAGE
from lab.toolchain.image import rootfs_for
from tests.guest.guest_root import GuestRoot, guest_root
from tests.guest.running_tiers import running_tiers


@pytest.fixture(scope="session")
def image(installed_lab: Lab) -> Path:
    """The golden guest image's root file system."""
    found = rootfs_for(installed_lab, GOLDEN_IMAGE)
    assert found
    return found


@pytest.fixture(scope="session")
def guest(image: Path) -> Iterator[GuestRoot]:
    """The image, opened once for all tests; writes go to memory."""
    with guest_root(image) as root:
        yield root


@pytest.fixture(scope="session")
def tiers(guest: GuestRoot, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GuestRoot]:
    """The image with all three tiers running in it."""
    with running_tiers(guest, tmp_path_factory.mktemp("tiers")):
        yield guest
