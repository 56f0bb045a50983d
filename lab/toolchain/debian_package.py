"""Programs from Debian packages, unpacked into the cache. Nothing is installed or started on this machine."""

from __future__ import annotations

import platform
from pathlib import Path

from lab.command import run
from lab.errors import LabError
from lab.toolchain import cache

_DOWNLOAD_SECONDS = 300
_LONGEST_NAME = 100


def unpack(*packages: str) -> Path:
    """Return the directory with the files of some packages, downloaded by apt unless the cache has them.

    Dependencies are not resolved: name the libraries that a program needs and that a machine may lack.

    Raises:
        LabError: Apt doesn't know a package or can't download it.
    """
    release = platform.freedesktop_os_release().get("VERSION_CODENAME", "")
    name = "-".join((release, *packages))
    if len(name) > _LONGEST_NAME:
        name = "-".join((release, packages[0], cache.key(packages)))
    return cache.get("debian", name, lambda directory: _fill(directory, packages))


def _fill(directory: Path, packages: tuple[str, ...]) -> None:
    try:
        _download(directory, packages)
    except LabError:  # the package lists are missing or outdated
        run("apt-get", "update", "-q", timeout=_DOWNLOAD_SECONDS)
        _download(directory, packages)
    for archive in directory.glob("*.deb"):
        run("dpkg-deb", "--extract", archive, directory)
        archive.unlink()


def _download(directory: Path, packages: tuple[str, ...]) -> None:
    failure = f"Debian's {', '.join(packages)} can't be downloaded"
    run("apt-get", "download", "-q", *packages, cwd=directory, failure=failure, timeout=_DOWNLOAD_SECONDS)
