"""Formatting the data disk: only a disk that can be read and is blank gets a filesystem."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.guest.guest_root import GuestRoot
from tests.unit.cloudinit.guest_examples import database, parse

DISK = "/mnt/data-disk"
MIB = 1024 * 1024
SIZE = 64 * MIB
FAILED = "multi-tier database: FAILED: the data disk {} is not formatted: {}"


@pytest.fixture
def disk(guest: GuestRoot) -> Iterator[GuestRoot]:
    """The image with a blank disk, which is a file."""
    guest.write_files(database())
    guest.write("/opt/test/file/blockdev", f"#!/bin/sh\necho {SIZE}\n", 0o755)
    guest.run("truncate", f"--size={SIZE}", DISK)
    yield guest
    guest.run("rm", DISK)


def format_disk(guest: GuestRoot, device: str = DISK) -> str:
    """Run cloud-init's command, and return its output and status."""
    (filesystem,) = parse(database())["fs_setup"]
    command = filesystem["cmd"] % {**filesystem, "device": device}
    return guest.run("env", "PATH=/opt/test/file:/usr/sbin:/usr/bin", "sh", "-c", f"{command}; echo status $?")


def put(guest: GuestRoot, offset: int, text: str) -> None:
    guest.run("dd", f"of={DISK}", "bs=1", f"seek={offset}", "conv=notrunc", "status=none", stdin=text)


def test_a_blank_disk_gets_a_filesystem_once(disk: GuestRoot) -> None:
    assert format_disk(disk) == "status 0\n"
    found = disk.run("blkid", "--probe", DISK)
    assert 'TYPE="ext4"' in found
    assert 'LABEL="virtwork-data"' in found
    assert format_disk(disk) == "status 0\n"
    assert disk.run("blkid", "--probe", DISK) == found, "the same filesystem"


def test_a_disk_that_cannot_be_read_is_left_alone(disk: GuestRoot) -> None:
    # The kernel answers every read of this file's start with an I/O error. blkid has status 2 for it.
    unreadable = "/proc/self/mem"
    assert "status 2" in disk.run("sh", "-c", f"blkid --probe {unreadable}; echo status $?")
    disk.write("/opt/test/file/mkfs.ext4", "#!/bin/sh\necho formatted\n", 0o755)
    said = format_disk(disk, unreadable)
    disk.run("rm", "/opt/test/file/mkfs.ext4")
    assert FAILED.format(unreadable, "it can't be read (see the kernel's log).") in said
    assert "formatted\n" not in said
    assert "status 1\n" in said


@pytest.mark.parametrize("offset", [0, 5 * MIB, SIZE - 16 * MIB, SIZE - 1], ids=["first", "later", "end", "last"])
def test_a_disk_with_unknown_data_is_left_alone(disk: GuestRoot, offset: int) -> None:
    put(disk, offset, "x")
    before = disk.run("sha256sum", DISK)
    said = format_disk(disk)
    assert FAILED.format(DISK, "it has data that is no known filesystem.") in said
    assert "status 1\n" in said
    assert disk.run("sha256sum", DISK) == before


def test_a_damaged_filesystem_is_left_alone(disk: GuestRoot) -> None:
    format_disk(disk)
    put(disk, 1024, "\0" * 1024)
    assert disk.run("blkid", "--probe", DISK, check=False) == ""
    assert FAILED.format(DISK, "it has data") in format_disk(disk)


@pytest.mark.parametrize(
    "command",
    [
        f"mkfs.ext4 -q -L other {DISK}",
        f"mkfs.ext4 -q -L one {DISK} && printf XFSB | dd of={DISK} conv=notrunc status=none",
    ],
    ids=["another label", "two filesystems"],
)
def test_a_disk_with_a_filesystem_stays_as_it_is(disk: GuestRoot, command: str) -> None:
    disk.run("sh", "-c", command)
    before = disk.run("sha256sum", DISK)
    format_disk(disk)
    assert disk.run("sha256sum", DISK) == before
