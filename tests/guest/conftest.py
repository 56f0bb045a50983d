"""The guest image, opened without booting it, so that tests can run its real packages."""

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
def guest(image: Path, installed_lab: Lab) -> Iterator[GuestRoot]:
    """The image, opened once per session; writes go to memory."""
    disk = installed_lab.root / "guest-disk"
    disk.mkdir()
    with guest_root(image, disk) as root:
        yield root


@pytest.fixture(scope="session")
def tiers(guest: GuestRoot, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GuestRoot]:
    """The image with all three tiers running in it, started once per session."""
    with running_tiers(guest, tmp_path_factory.mktemp("tiers")):
        yield guest
