"""How far systemd confines each unit: what `docs/guests.md` says is what its own analysis finds."""

from __future__ import annotations

import re

import pytest

from cloudinit import Family
from lab.config import PROJECT
from tests.guest.guest_root import GuestRoot
from tests.unit.cloudinit.guest_examples import EVERY_GUEST, WITH_METRICS

_ROW = re.compile(r"^\| `(?P<unit>[\w@-]+\.service)` \| (?P<exposure>\d+\.\d) \|", re.MULTILINE)
DOCUMENTED = {
    found["unit"]: float(found["exposure"]) for found in _ROW.finditer((PROJECT / "docs/guests.md").read_text())
}
POSTGRESQL = "postgresql@15-data.service"


@pytest.fixture(scope="module")
def units(guest: GuestRoot) -> dict[str, str]:
    """The path of each service's unit in Debian's guests, by its name."""
    for render in (*EVERY_GUEST.values(), *WITH_METRICS.values()):
        guest.write_files(render(Family.DEBIAN))
    # An instance, because systemd can't load the template itself.
    guest.run("sh", "-euc", f"cd /lib/systemd/system; cp postgresql@.service {POSTGRESQL}")
    ours = guest.run("sh", "-euc", "ls /etc/systemd/system/virtwork-*.service").split()
    return {path.rpartition("/")[2]: path for path in (*ours, *(f"/lib/systemd/system/{name}" for name in THEIRS))}


THEIRS = ("nginx.service", POSTGRESQL)


def test_every_service_is_documented(units: dict[str, str]) -> None:
    assert set(units) == set(DOCUMENTED)


@pytest.mark.parametrize("unit", DOCUMENTED)
def test_a_service_is_exposed_no_more_than_documented(guest: GuestRoot, units: dict[str, str], unit: str) -> None:
    said = guest.run("systemd-analyze", "security", "--offline=true", "--no-pager", units[unit])
    found = re.search(r"Overall exposure level for .*: (\d+\.\d) ", said)
    assert found
    assert float(found[1]) == DOCUMENTED[unit]
