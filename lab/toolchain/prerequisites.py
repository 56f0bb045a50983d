"""The system tools that the lab runs, from Debian's packages."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from rich.console import Console

from lab.command import run
from lab.errors import LabError

# Tool -> the Debian package with it.
_TOOLS = {
    "systemd-nspawn": "systemd-container",
    "mmdebstrap": "mmdebstrap",
    "nft": "nftables",
    "ip": "iproute2",
    "mkfs.ext4": "e2fsprogs",
    "losetup": "mount",
    "nsenter": "util-linux",
    "sysctl": "procps",
    "ssh": "openssh-client",  # into guests that have `ssh` configured
}
# Program or file -> package: what compiles the components of a node that boots machines.
_COMPILER = {"/usr/bin/gcc": "gcc", "/usr/include/linux/kvm.h": "libc6-dev"}
_SEARCH_PATH = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"))


def ensure(console: Console, *, compiler: bool = False) -> None:
    """Install the system tools that are missing.

    Args:
        console: Shows what is installed.
        compiler: Whether a C compiler is one of them.

    Raises:
        LabError: This is not root or not a Debian machine, or the installation failed.
    """
    if os.geteuid() != 0:
        raise LabError("The lab creates network namespaces, mounts and guests, which needs root: run `sudo make lab`.")
    os.environ["PATH"] = _SEARCH_PATH
    missing = sorted({package for tool, package in _TOOLS.items() if not shutil.which(tool)})
    if compiler:
        missing += [package for path, package in _COMPILER.items() if not Path(path).exists()]
    if not missing:
        return
    packages = " ".join(missing)
    if not shutil.which("apt-get"):
        raise LabError(f"Packages are missing: {packages}. Install them; the lab does so itself on Debian only.")
    console.print(f"Installing Debian packages: {packages}")
    run("apt-get", "update", "-q", timeout=None)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    run("apt-get", "install", "-q", "-y", "--no-install-recommends", *missing, env=environment, timeout=None)
