"""The system of a real node: Debian with a container runtime, and the image of a Pod's first container."""

from __future__ import annotations

from pathlib import Path

from lab.command import run
from lab.progress import Progress
from lab.toolchain import cache, oci_archive
from lab.toolchain.image import CONTAINED

PAUSE_IMAGE = "localhost/multi-tier/pause:1"

_SUITE = "bookworm"
_PACKAGES = (
    *("catatonit", "containerd", "containernetworking-plugins", "e2fsprogs", "iproute2", "ipset", "iptables", "mount"),
    *("procps", "runc"),
)
_TIDY = 'rm -rf "$1"/usr/share/doc/* "$1"/usr/share/man/* "$1"/var/cache/apt/archives/*.deb "$1"/var/lib/apt/lists/*'
_ARCHIVE = "pause.tar"


def _build(directory: Path) -> None:
    rootfs = directory / "rootfs"
    command = [*CONTAINED, "mmdebstrap", "--quiet", "--variant=minbase", "--mode=root", f"--customize-hook={_TIDY}"]
    failure = "The system of the node can't be built"
    run(*command, f"--include={','.join(_PACKAGES)}", _SUITE, rootfs, failure=failure, timeout=None)
    pause = oci_archive.file(rootfs / "usr/bin/catatonit", "/pause", mode=0o755)
    oci_archive.write(directory / _ARCHIVE, [oci_archive.Image(PAUSE_IMAGE, ["/pause", "-P"])], pause)


_KEY = cache.key([_SUITE, *_PACKAGES, _TIDY, PAUSE_IMAGE])


def ensure(progress: Progress) -> None:
    """Build the node's system unless it is in the cache.

    Raises:
        LabError: It can't be built.
    """
    with progress.step(f"System of the node ({len(_PACKAGES)} Debian packages and their dependencies, about 1 min)"):
        cache.get("nodes", _KEY, _build)


def _directory() -> Path:
    return cache.directory() / "nodes" / _KEY


def rootfs() -> Path:
    """Return the root file system of the node, which exists once it is built."""
    return _directory() / "rootfs"


def pause_archive() -> Path:
    """Return the OCI archive of `PAUSE_IMAGE`, which exists once the system is built."""
    return _directory() / _ARCHIVE
