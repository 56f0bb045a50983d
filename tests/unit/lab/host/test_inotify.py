"""Guests get their inotify instances as long as there is memory, and one that can't have them isn't started."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lab.config import DEFAULT_SUBNET, Lab
from lab.host import inotify, network


class Kernel:
    """A kernel that allows some instances."""

    def __init__(self, allowed: int) -> None:
        self.opened: list[int] = []
        self._allowed = allowed

    def inotify_init1(self, _: int) -> int:
        if len(self.opened) == self._allowed:
            return -1
        self.opened.append(os.open("/dev/null", os.O_RDONLY))
        return self.opened[-1]


@pytest.mark.parametrize(("allowed", "enough"), [(8, True), (7, False)])
def test_a_shortage_names_the_setting_and_nothing_stays_open(
    monkeypatch: pytest.MonkeyPatch, *, allowed: int, enough: bool
) -> None:
    kernel = Kernel(allowed)
    monkeypatch.setattr(inotify, "_LIBC", kernel)
    found = inotify.shortage(1)
    assert (found is None) == enough
    assert enough or "sysctl -w fs.inotify.max_user_instances=1024" in str(found)
    assert not [descriptor for descriptor in kernel.opened if Path(f"/proc/self/fd/{descriptor}").exists()]


def test_the_kernel_is_asked() -> None:
    assert inotify.shortage(1) is None


LABS = [Lab(Path(f"/lab-{number}"), DEFAULT_SUBNET) for number in (1, 2)]


@pytest.fixture
def limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine's limit of 128, with both labs up."""
    found = tmp_path / "max_user_instances"
    found.write_text("128\n")
    namespaces = tmp_path / "netns"
    for lab in LABS:
        (namespaces / lab.name).mkdir(parents=True)
        (namespaces / f"{lab.name}-0a1b2c3d").mkdir()
    monkeypatch.setattr(inotify, "_LIMIT", found)
    monkeypatch.setattr(inotify, "_FORMER", tmp_path / "former")
    monkeypatch.setattr(network, "_NAMESPACES", namespaces)
    inotify.up()
    return found


def end(limit: Path, lab: Lab) -> None:
    for path in (limit.parent / "netns").glob(f"{lab.name}*"):
        path.rmdir()
    inotify.down(lab)


def test_the_limit_is_enough_until_memory_ends_and_the_last_lab_restores_it(limit: Path) -> None:
    raised = int(limit.read_text())
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    assert raised >= 128 + 6 * memory // (100 << 20)
    inotify.up()
    assert int(limit.read_text()) == raised
    end(limit, LABS[0])
    assert int(limit.read_text()) == raised
    end(limit, LABS[1])
    assert limit.read_text() == "128"


def test_a_limit_that_somebody_else_has_changed_since_stays(limit: Path) -> None:
    limit.write_text("4096\n")
    for lab in LABS:
        end(limit, lab)
    assert limit.read_text() == "4096\n"
    limit.write_text("100000000\n")
    inotify.up()
    assert limit.read_text() == "100000000\n"
