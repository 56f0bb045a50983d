"""Programs from Debian packages, unpacked into the cache: nothing is installed on the machine, and nothing started."""

from __future__ import annotations

import subprocess
from pathlib import Path

from lab.errors import LabError
from lab.toolchain import cache

_DOWNLOAD_SECONDS = 300


def unpack(*packages: str) -> Path:
    """Return the directory that holds the files of some packages, downloaded by apt where it is not in the cache yet.

    What they depend on is not looked for: name the libraries that a program needs and a machine may lack.

    Raises:
        LabError: apt doesn't know a package, or can't download it.
    """
    versions = _run(["apt-cache", "show", "--no-all-versions", *packages], packages)
    return cache.get("debian", f"{packages[0]}-{cache.key([versions])}", lambda directory: _fill(directory, packages))


def _fill(directory: Path, packages: tuple[str, ...]) -> None:
    _run(["apt-get", "download", "-q", *packages], packages, directory)
    for archive in directory.glob("*.deb"):
        _run(["dpkg-deb", "--extract", str(archive), str(directory)], packages)
        archive.unlink()


def _run(command: list[str], packages: tuple[str, ...], directory: Path | None = None) -> str:
    done = subprocess.run(
        command, cwd=directory, capture_output=True, text=True, timeout=_DOWNLOAD_SECONDS, check=False
    )
    if done.returncode != 0:
        raise LabError(
            f"Debian's {', '.join(packages)} can't be had: {done.stderr.strip()[-300:]} Is `apt-get update` due?"
        )
    return done.stdout
