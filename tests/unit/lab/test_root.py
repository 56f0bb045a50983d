"""A lab creates, uses and removes only a directory of its own."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Callable
from ipaddress import IPv4Network
from pathlib import Path

import pytest
from rich.console import Console

from lab import mounts, root
from lab.config import DEFAULT_SUBNET, PROJECT, Lab
from lab.errors import LabError
from lab.lifecycle import install, start, stop
from lab.progress import Progress

PROGRESS = Progress(Console(file=io.StringIO()))


def contents(directory: Path) -> dict[Path, str]:
    return {path: path.read_text() for path in directory.rglob("*") if path.is_file()}


@pytest.fixture
def foreign(tmp_path: Path) -> Path:
    """A directory with somebody's files, which look a little like a lab's."""
    for name in ("thesis.tex", "run/virt-api.json", "guests/list", "disks/a.img"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("{}")
    return tmp_path


@pytest.mark.parametrize("action", [install, start, stop])
def test_a_directory_of_somebody_else_is_left_alone(foreign: Path, action: Callable[[Lab, Progress], None]) -> None:
    before = contents(foreign)
    with pytest.raises(LabError, match=f"{foreign} is not a lab's directory, and it is not empty"):
        action(Lab(foreign, DEFAULT_SUBNET), PROGRESS)
    assert contents(foreign) == before


@pytest.mark.parametrize(
    ("variable", "command"),
    [
        ("MULTI_TIER_LAB", "lab up"),
        ("MULTI_TIER_LAB", "lab down"),
        ("MULTI_TIER_PREVIEW", "preview stop"),
        ("MULTI_TIER_PREVIEW", "preview show --base HEAD"),
    ],
)
def test_every_command_says_so_and_creates_nothing(foreign: Path, variable: str, command: str) -> None:
    before, beside = contents(foreign), set(foreign.parent.iterdir())
    done = subprocess.run(
        [sys.executable, "-m", *command.split()],
        cwd=PROJECT,
        env={**os.environ, variable: str(foreign)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in (1, 2)
    assert done.stderr.splitlines()[-1].startswith(f"✗ {foreign} is not a lab's directory, and it is not empty")
    assert contents(foreign) == before
    assert set(foreign.parent.iterdir()) == beside


def test_a_directory_with_something_mounted_below_it_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lab = Lab(tmp_path / "a lab", DEFAULT_SUBNET)
    root.claim(lab)
    disks = lab.root / "disks"
    disks.mkdir()
    mountinfo = tmp_path / "mountinfo"
    escaped = str(disks).replace(" ", r"\040")
    mountinfo.write_text(f"1 0 8:1 / / rw - ext4 /dev/sda1 rw\n2 1 8:2 / {escaped} rw - ext4 /dev/sdb1 rw\n")
    monkeypatch.setattr(mounts, "_MOUNTS", mountinfo)
    with pytest.raises(LabError, match=f"{disks} is mounted"):
        root.remove(lab)
    assert disks.exists()


def test_a_directory_that_no_search_path_can_have_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="has a colon"):
        root.check(Lab(tmp_path / "a:b", DEFAULT_SUBNET))


def test_a_file_in_place_of_the_directory_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "notes"
    file.write_text("mine")
    for action in (install, stop):
        with pytest.raises(LabError, match="is not a directory"):
            action(Lab(file, DEFAULT_SUBNET), PROGRESS)
    assert file.read_text() == "mine"


@pytest.mark.parametrize("exists", [True, False])
def test_a_claimed_directory_is_removed_with_everything_in_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, exists: bool
) -> None:
    monkeypatch.setattr("lab.toolchain.binaries.ensure", lambda *_: None)
    lab = Lab(tmp_path / "lab", IPv4Network("127.99.0.0/16"))
    if exists:
        lab.root.mkdir()
    install(lab, PROGRESS)
    (lab.root / "etcd").mkdir()
    (lab.root / "link").symlink_to(tmp_path)
    install(lab, PROGRESS)
    stop(lab, PROGRESS)
    assert not lab.root.exists()
    assert tmp_path.exists()
    stop(lab, PROGRESS)


def test_what_is_left_of_an_interrupted_removal_is_still_the_labs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = Lab(tmp_path / "lab", DEFAULT_SUBNET)
    root.claim(lab)
    (lab.root / "disk").mkdir()
    with monkeypatch.context() as patch:
        patch.setattr("shutil.rmtree", _broken)
        with pytest.raises(LabError, match=r"can't be removed: full of sand"):
            root.remove(lab)
    root.remove(lab)
    assert not lab.root.exists()


def _broken(*_: object) -> None:
    raise OSError("full of sand")
