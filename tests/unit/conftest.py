"""Fixtures of the unit tests that look inside a guest image."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from lab.config import Lab
from lab.image import GOLDEN as GOLDEN_IMAGE
from lab.image import rootfs_for
from tests.unit.guest_root import GuestRoot, guest_root
from tests.unit.running_tiers import running_tiers

GOLDEN = Path(__file__).parent / "golden"


# How long an example takes says more of the machine than of the code.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden",
        action="store_true",
        help="write what is rendered now to tests/unit/golden/ (pytest tests/unit --update-golden), then read the diff",
    )


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """Compare a text with the golden file of a name, or with --update-golden make it the golden file."""

    def compare(name: str, text: str) -> None:
        path = GOLDEN / name
        if request.config.getoption("--update-golden"):
            path.write_text(text, encoding="utf-8")
        assert text == path.read_text(encoding="utf-8"), (
            f"{name} renders differently; if that is meant: pytest tests/unit --update-golden"
        )

    return compare


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
