"""A build of a guest image leaves nothing mounted and nothing running, however it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from lab import mounts
from lab.config import PROJECT
from tests.lab.stack import wait_until

BUILD = """
import sys
from pathlib import Path
from lab.config import DEFAULT_SUBNET, Lab
from lab.toolchain import image
from tests.own_lab import PROGRESS
print(image.ensure(Lab(Path(sys.argv[1]), DEFAULT_SUBNET), image.PLAIN, PROGRESS))
"""

# mmdebstrap mounts such file systems while it installs packages.
STUCK = """#!/bin/sh
for rootfs; do :; done
mkdir -p "$rootfs/proc"
mount -t tmpfs tmpfs "$rootfs/proc"
echo "of this machine" > "$rootfs/proc/file"
touch "$rootfs/../../started"
exec sleep 987
"""
GOOD = """#!/bin/sh
for rootfs; do :; done
mkdir "$rootfs"
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A directory with an empty cache, whose name needs quotes in a shell."""
    found = tmp_path / "a cache"
    found.mkdir()
    return found


def build(place: Path, script: str) -> subprocess.Popen[str]:
    program = place / "mmdebstrap"
    program.write_text(script)
    program.chmod(0o755)
    variables = {"XDG_CACHE_HOME": str(place), "PATH": f"{place}:{os.environ['PATH']}"}
    return subprocess.Popen(
        [sys.executable, "-c", BUILD, str(place / "lab")],
        cwd=PROJECT,
        env={**os.environ, **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def images(place: Path) -> Path:
    return place / "multi-tier" / "images"


def succeeds(place: Path) -> None:
    output, errors = build(place, GOOD).communicate(timeout=30)
    assert Path(output.strip()).is_dir(), errors


def running(place: Path) -> list[str]:
    listing = subprocess.run(["ps", "-eo", "pid,args"], capture_output=True, text=True, check=True).stdout
    return [line for line in listing.splitlines() if str(place) in line or "sleep 987" in line]


def test_a_killed_build_leaves_no_mount_and_no_process_and_the_next_one_succeeds(place: Path) -> None:
    killed = build(place, STUCK)
    try:
        wait_until("the build is in the middle", (images(place) / "started").exists, 30)
        assert mounts.below(place) == []
        killed.send_signal(signal.SIGKILL)
        killed.wait()
        wait_until("nothing of it runs", lambda: running(place) == [], 10)
        succeeds(place)
    finally:
        mounts.unmount(place)


def test_what_an_earlier_version_left_mounted_is_unmounted_first(place: Path) -> None:
    succeeds(place)
    (built,) = (path for path in images(place).iterdir() if path.is_dir())
    partial = built.rename(built.with_name(f"{built.name}.partial")) / "rootfs"
    outside = place / "outside"
    outside.mkdir()
    (outside / "file").write_text("of this machine")
    (partial / "dev").mkdir()
    subprocess.run(["mount", "--bind", outside, partial / "dev"], check=True)
    try:
        succeeds(place)
        assert (outside / "file").exists()
        assert not partial.exists()
    finally:
        mounts.unmount(place)
