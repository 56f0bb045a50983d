"""A file keeps its old content until the new one is whole, and only its owner can read it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lab.files import write_private


def test_a_file_is_private_and_replaced(tmp_path: Path) -> None:
    path = tmp_path / "record"
    write_private(path, b"old")
    write_private(path, b"new")
    assert path.read_text() == "new"
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_full_disk_leaves_the_old_content_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "record"
    write_private(path, b"old")

    def full(_: int) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space left on device"):
        write_private(path, b"new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
