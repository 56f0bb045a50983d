"""Bootable disks: a root file system in one partition, and GRUB for BIOS, written without mounting anything.

The tools come from one fixed Debian release and run in a directory of their own, so that a disk doesn't depend on this
machine's versions. With fixed identifiers and times, the same content makes the same disk.
"""

from __future__ import annotations

import uuid
from pathlib import Path

from lab.command import run
from lab.toolchain import cache
from lab.toolchain.image import CONTAINED

# The latest time of a file in an image. Debian's tools know the variable.
SOURCE_DATE_EPOCH = "1767225600"

_SUITE = "trixie"  # the first release whose mke2fs reads tar files
_TOOLS = (
    *("base-files", "coreutils", "dash", "e2fsprogs", "fdisk", "grub-common", "grub-pc-bin", "libarchive13t64"),
    *("libc-bin", "qemu-utils"),
)
_START = 1 << 20  # of the partition; the boot loader fits in front of it
_SIZE = 3 << 30  # of the disk, as Debian's cloud images

_GRUB_CONFIGURATION = """\
set timeout=0
menuentry Debian {{
    linux /vmlinuz root=PARTUUID={partition} ro console=tty0 console=ttyS0,115200 {arguments}
    initrd /initrd.img
}}
"""
_FSTAB = "PARTUUID={partition} / ext4 rw,discard,errors=remount-ro,x-systemd.growfs 0 1\n"

# GRUB's first sector loads the second one, which loads the rest from there on. Compressed, the disk is a third of the
# size, and reading all of it takes a second longer.
_WRITE = """
set -eu
truncate --size="$SIZE" disk.raw
echo "start=$((START / 512)), type=83, bootable" | sfdisk --quiet --label dos disk.raw
sfdisk --quiet --disk-id disk.raw "0x$(echo "$IDENTIFIER" | cut -c 1-8)"

grub-mkimage --format=i386-pc --output=core.img --prefix='(,msdos1)/boot/grub' biosdisk part_msdos ext2 normal linux
dd status=none conv=notrunc if=/usr/lib/grub/i386-pc/boot.img of=disk.raw bs=440 count=1
dd status=none conv=notrunc if=core.img of=disk.raw bs=512 seek=1

mke2fs -F -q -t ext4 -L root -U "$IDENTIFIER" -O ^metadata_csum_seed,^orphan_file -d root.tar \\
  -E "offset=$START,hash_seed=$IDENTIFIER,lazy_itable_init=0,lazy_journal_init=0,root_owner=0:0" \\
  disk.raw "$(((SIZE - START) / 1024))k"
qemu-img convert -f raw -O qcow2 -c -o compression_type=zstd disk.raw disk.qcow2
"""


def key() -> str:
    """Return a cache key of how disks are made."""
    return cache.key((_SUITE, *_TOOLS, _GRUB_CONFIGURATION, _FSTAB, _WRITE, str(_START), str(_SIZE), SOURCE_DATE_EPOCH))


def _identifier(name: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, name))


def configuration(name: str, arguments: str) -> dict[str, str]:
    """Return the files with which a root file system boots, by path.

    Args:
        name: The disk's name, from which its identifiers follow.
        arguments: Arguments of the kernel, besides its consoles.
    """
    partition = f"{_identifier(name)[:8]}-01"
    return {
        "etc/fstab": _FSTAB.format(partition=partition),
        "boot/grub/grub.cfg": _GRUB_CONFIGURATION.format(partition=partition, arguments=arguments),
    }


def _fill(directory: Path) -> None:
    command = ("mmdebstrap", "--quiet", "--variant=extract", "--mode=root", f"--include={','.join(_TOOLS)}")
    run(*CONTAINED, *command, _SUITE, directory / "root", failure="The tools for disks can't be unpacked", timeout=None)
    (directory / "root/mnt").mkdir()


def in_tools(script: str, directory: Path, **variables: str) -> str:
    """Run a shell script with the tools, in a directory that it sees as /mnt, and return its output.

    Raises:
        LabError: It failed.
    """
    tools = cache.get("disk-tools", cache.key((_SUITE, *_TOOLS)), _fill) / "root"
    enter = 'mount --bind "$1" "$2/mnt" && exec chroot "$2" sh -c "cd /mnt; $3"'
    # The locale is for names of files.
    environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8", **variables}
    command = ("sh", "-c", enter, "sh", directory, tools, script)
    return run(*CONTAINED, *command, env=environment, failure="A disk can't be built", timeout=None)


def build(directory: Path, name: str) -> Path:
    """Turn `root.tar` in a directory into a disk, and return it. The root file system has the files of `configuration`.

    Raises:
        LabError: A tool failed.
    """
    variables = {"SOURCE_DATE_EPOCH": SOURCE_DATE_EPOCH, "START": str(_START), "SIZE": str(_SIZE)}
    in_tools(_WRITE, directory, IDENTIFIER=_identifier(name), **variables)
    return directory / "disk.qcow2"
