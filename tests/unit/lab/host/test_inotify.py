"""A guest that couldn't boot for want of inotify instances isn't started."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lab.host import inotify


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
    found = inotify.shortage(8)
    assert (found is None) == enough
    assert enough or "sysctl -w fs.inotify.max_user_instances=1024" in str(found)
    assert not [descriptor for descriptor in kernel.opened if Path(f"/proc/self/fd/{descriptor}").exists()]


def test_the_kernel_is_asked() -> None:
    assert inotify.shortage(1) is None
