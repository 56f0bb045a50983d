"""Container disks: bootable Debian disks as OCI archives, for the lab's machines and for any registry."""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass
from pathlib import Path

from cloudinit.families import Family, packages
from lab import mounts
from lab.command import run
from lab.progress import Progress
from lab.toolchain import binaries, boot_disk, cache, oci_archive
from lab.toolchain.image import CONTAINED, FAST, GOLDEN, PLAIN, QUIET
from lab.toolchain.node_image import QEMU_USER

PLAIN_13 = "quay.io/containerdisks/debian:13"
REFERENCES = (GOLDEN, PLAIN, PLAIN_13)

_ARCHIVE = "container-disk.tar"
PACKAGES = "packages.txt"

# What the team of Debian's cloud images installs (debian-cloud-images: SYSTEM_BOOT, CLOUD, GENERIC, EXTRAS), without
# the boot loader, which is outside the root file system here.
_CLOUD_IMAGE = [
    *("apparmor", "apt-listchanges", "apt-utils", "bash-completion", "bind9-host", "ca-certificates"),
    *("cloud-guest-utils", "cloud-init", "cloud-initramfs-growroot", "curl", "e2fsprogs", "ethtool", "init"),
    *("iptables", "iputils-ping", "less", "libnss-myhostname", "libpam-systemd", "linux-image-cloud-amd64", "man-db"),
    *("manpages", "nano", "netbase", "netplan.io", "openssh-server", "pciutils", "polkitd", "psmisc", "reportbug"),
    *("screen", "socat", "ssh-import-id", "sudo", "systemd-resolved", "systemd-timesyncd", "tcpdump", "traceroute"),
    *("unattended-upgrades", "uuid-runtime", "vim", "vim-tiny", "whiptail", "xz-utils", "zstd"),
]
# A server with the tiers' packages, and nothing that would only cost time at boot.
_SERVER = [
    *("ca-certificates", "cloud-guest-utils", "cloud-init", "curl", "dbus", "e2fsprogs", "init", "iproute2"),
    *("iputils-ping", "less", "libpam-systemd", "linux-image-cloud-amd64", "netbase", "netplan.io", "openssh-server"),
    *("procps", "qemu-guest-agent", "sudo", "systemd-resolved", "systemd-timesyncd", "zstd"),
]

_SMALL_INITRD = """
set -eu
mkdir -p "$1"/etc/initramfs-tools/conf.d
echo MODULES=list > "$1"/etc/initramfs-tools/conf.d/modules
printf '%s\\n' virtio_pci virtio_blk virtio_scsi sd_mod ext4 > "$1"/etc/initramfs-tools/modules
"""
_NETWORK = """
set -eu
chroot "$1" systemctl enable --quiet systemd-networkd.service systemd-resolved.service
echo LANG=C.UTF-8 > "$1"/etc/default/locale
"""
# As in Debian's own image of the release: names don't go through systemd-resolved's stub.
_NO_STUB = 'ln -sf /run/systemd/resolve/resolv.conf "$1"/etc/resolv.conf'
_STUB = 'ln -sf ../run/systemd/resolve/stub-resolv.conf "$1"/etc/resolv.conf'
# Identities that each guest must make for itself, and traces of the build.
_TIDY = """
set -eu
: > "$1"/etc/machine-id
: > "$1"/etc/hostname
rm -f "$1"/etc/ssh/ssh_host_* "$1"/etc/ssl/private/ssl-cert-snakeoil.key "$1"/etc/ssl/certs/ssl-cert-snakeoil.pem \
  "$1"/var/lib/dbus/machine-id "$1"/var/cache/ldconfig/aux-cache "$1"/var/lib/systemd/random-seed
rm -rf "$1"/usr/share/doc/* "$1"/var/cache/apt/*.bin "$1"/var/cache/apt/archives/* "$1"/var/lib/apt/lists/*
find "$1"/var/log -type f -delete
"""


@dataclass(frozen=True, slots=True)
class _Recipe:
    """What makes up a container disk.

    Attributes:
        suite: Debian's release.
        packages: Its packages, besides Debian's essential ones.
        prepare: Hook that runs before their installation.
        hooks: Hooks that run after it.
        arguments: Arguments of the kernel, besides the consoles.
    """

    suite: str
    packages: tuple[str, ...]
    hooks: tuple[str, ...]
    prepare: str = "true"
    arguments: str = ""


def _recipe(reference: str, progress: Progress) -> _Recipe:
    if reference == PLAIN:
        return _Recipe("bookworm", tuple(_CLOUD_IMAGE), (_NETWORK, _NO_STUB, _TIDY))
    if reference == PLAIN_13:
        names = (*_CLOUD_IMAGE, "libnss-resolve", "linux-sysctl-defaults")
        return _Recipe("trixie", names, (_NETWORK, _STUB, _TIDY))
    k6 = binaries.built("k6", progress) / "k6"
    names = tuple(sorted({*_SERVER, *packages(Family.DEBIAN)}))
    install_k6 = f'install -m 0755 {shlex.quote(str(k6))} "$1"/usr/local/bin/k6'
    hooks = (QUIET, install_k6, _NETWORK, _NO_STUB, FAST, _TIDY)
    return _Recipe("bookworm", names, hooks, _SMALL_INITRD, "quiet")


def _make_root(work: Path, reference: str, recipe: _Recipe, listing: Path) -> None:
    files = work / "files"
    for path, content in boot_disk.configuration(reference, recipe.arguments).items():
        (files / path).parent.mkdir(parents=True, exist_ok=True)
        (files / path).write_text(content)
    list_packages = f'chroot "$1" dpkg-query -W > {shlex.quote(str(listing))}'
    hooks = (*recipe.hooks, f"sync-in {shlex.quote(str(files))} /", list_packages)
    command = ["mmdebstrap", "--quiet", "--variant=minbase", "--mode=root", f"--include={','.join(recipe.packages)}"]
    # Without mmdebstrap's own cleaning of apt's directories, whose owner depends on this machine's directories.
    command += [
        "--skip=cleanup/apt",
        f"--essential-hook={recipe.prepare}",
        *(f"--customize-hook={hook}" for hook in hooks),
    ]
    environment = {**os.environ, "SOURCE_DATE_EPOCH": boot_disk.SOURCE_DATE_EPOCH, "TMPDIR": str(work)}
    failure = f"The root file system of {reference} can't be built"
    run(*CONTAINED, *command, recipe.suite, work / "root.tar", env=environment, failure=failure, timeout=None)


def _build(directory: Path, reference: str, recipe: _Recipe, progress: Progress) -> None:
    work = directory / "work"
    work.mkdir()
    with progress.step(f"Root file system of {reference} ({len(recipe.packages)} Debian packages, about 2 min)"):
        _make_root(work, reference, recipe, directory / PACKAGES)
    with progress.step(f"Disk of {reference}"):
        disk = boot_disk.build(work, reference)
    with progress.step(f"OCI archive of {reference}"):
        entries = oci_archive.file(disk, "disk/disk.qcow2", 0o440, owner=QEMU_USER)
        oci_archive.write(directory / _ARCHIVE, [oci_archive.Image(reference)], entries)
    mounts.remove_tree(work)


def container_disk(reference: str, progress: Progress) -> Path:
    """Return the OCI archive of a container disk, built unless it is in the cache. Its packages are listed beside it.

    Raises:
        LabError: It can't be built.
    """
    recipe = _recipe(reference, progress)
    key = cache.key([reference, repr(recipe), boot_disk.key()])
    return cache.get("container-disks", key, lambda path: _build(path, reference, recipe, progress)) / _ARCHIVE


def instructions(reference: str, archive: Path, registry: str) -> str:
    """Say what a container disk's archive is, how it gets to a registry, and how a stack file names it there."""
    name = f"{registry.rstrip('/')}/{reference.rsplit('/', 1)[-1]}"
    digest = oci_archive.digest(archive)
    return f"""
{reference}
  archive   {archive} ({archive.stat().st_size / 1e6:.0f} MB)
  packages  {archive.with_name(PACKAGES)}
  digest    {digest}
  push      skopeo copy --preserve-digests oci-archive:{archive} docker://{name}
  use       containerDisk: {name}@{digest}"""
