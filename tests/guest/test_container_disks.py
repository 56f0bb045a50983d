"""Disks are whole by the judgement of the tools that use them, and the same content makes the same disk."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from lab.toolchain import boot_disk

SIZE = 3 << 30
START = 1 << 20


def write_root(path: Path) -> None:
    content = path / "content"
    (content / "boot/grub").mkdir(parents=True)
    for name, text in boot_disk.configuration("example", "quiet").items():
        (content / name).parent.mkdir(exist_ok=True)
        (content / name).write_text(text)
    (content / "Főtanúsítvány").write_text("a name beyond ASCII")
    (content / "vmlinuz").symlink_to("boot/vmlinuz-1")
    (content / "boot/vmlinuz-1").write_bytes(bytes(5_000_000) + b"kernel")
    (content / "boot/vmlinuz-1").chmod(0o4711)
    with tarfile.open(path / "root.tar", "w", format=tarfile.PAX_FORMAT) as archive:
        for file in sorted(content.rglob("*")):
            info = archive.gettarinfo(file, f"./{file.relative_to(content)}")
            info.mtime, info.uid, info.gid = 1, 33, 34
            with file.open("rb") if info.isreg() else Path("/dev/null").open("rb") as data:
                archive.addfile(info, data)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with a disk of a small root file system, as disk.qcow2 and as disk.raw."""
    directory = tmp_path_factory.mktemp("disk")
    write_root(directory)
    boot_disk.build(directory, "example")
    return directory


def tool(built: Path, command: str) -> str:
    return boot_disk.in_tools(command, built)


def partition_table(built: Path) -> Any:
    return json.loads(tool(built, "sfdisk --json disk.raw"))["partitiontable"]


def inode(built: Path, path: str) -> str:
    return tool(built, f"debugfs -R 'stat {path}' disk.raw?offset={START}")


def test_the_disk_is_a_sound_qcow2_file_without_the_empty_space(built: Path) -> None:
    assert "No errors were found" in tool(built, "qemu-img check disk.qcow2")
    assert (built / "disk.qcow2").stat().st_size < 100_000_000
    assert (built / "disk.raw").stat().st_size == SIZE


def test_one_active_partition_fills_the_disk_behind_the_boot_loader(built: Path) -> None:
    tool(built, "sfdisk --verify disk.raw")
    (partition,) = partition_table(built)["partitions"]
    assert (partition["type"], partition["bootable"]) == ("83", True)
    assert partition["start"] * 512 == START
    assert (partition["start"] + partition["size"]) * 512 == SIZE


def test_the_kernel_finds_the_partition_by_the_name_that_the_boot_loader_passes(built: Path) -> None:
    root = f"PARTUUID={partition_table(built)['id'].removeprefix('0x')}-01"
    files = boot_disk.configuration("example", "quiet")
    assert f"root={root} " in files["boot/grub/grub.cfg"]
    assert files["etc/fstab"].startswith(f"{root} / ext4 ")


def test_the_file_system_is_sound_and_has_the_files_as_they_were(built: Path) -> None:
    tool(built, f"e2fsck -n -f disk.raw?offset={START}")
    kernel = inode(built, "/boot/vmlinuz-1")
    assert "Mode:  04711" in kernel
    assert "User:    33   Group:    34" in kernel
    assert "Size: 5000006" in kernel
    assert 'link dest: "boot/vmlinuz-1"' in inode(built, "/vmlinuz")
    assert tool(built, f"debugfs -R 'cat /Főtanúsítvány' disk.raw?offset={START}") == "a name beyond ASCII"


def test_the_same_content_makes_the_same_disk(built: Path, tmp_path: Path) -> None:
    write_root(tmp_path)
    boot_disk.build(tmp_path, "example")
    assert (tmp_path / "disk.qcow2").read_bytes() == (built / "disk.qcow2").read_bytes()
