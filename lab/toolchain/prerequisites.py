"""The system tools that the lab runs, from Debian's packages."""

from __future__ import annotations

import os
import shutil
import subprocess

from rich.console import Console

from lab.errors import LabError

# tool -> the Debian package that holds it
_TOOLS = {
    "systemd-nspawn": "systemd-container",
    "mmdebstrap": "mmdebstrap",
    "nft": "nftables",
    "ip": "iproute2",
    "mkfs.ext4": "e2fsprogs",
    "losetup": "mount",
    "nsenter": "util-linux",
    "sysctl": "procps",
}
_SEARCH_PATH = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"))


def _missing() -> list[str]:
    return sorted({package for tool, package in _TOOLS.items() if not shutil.which(tool, path=_SEARCH_PATH)})


def ensure(console: Console) -> None:
    """Install what is missing of the system tools.

    Raises:
        LabError: not root, not a Debian machine, or the installation failed.
    """
    if os.geteuid() != 0:
        raise LabError("The lab makes network namespaces, mounts and guests, which needs root: run `sudo make lab`.")
    os.environ["PATH"] = _SEARCH_PATH
    missing = _missing()
    if not missing:
        return
    if not shutil.which("apt-get"):
        raise LabError(f"Missing: {', '.join(missing)}. Install them; the lab can do it by itself on Debian only.")
    console.print(f"Installing Debian packages: {' '.join(missing)}")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (
        ["apt-get", "update", "-q"],
        ["apt-get", "install", "-q", "-y", "--no-install-recommends", *missing],
    ):
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise LabError(f"`{' '.join(command)}` failed:\n{(done.stdout + done.stderr).strip()[-1500:]}")
    if still := _missing():
        raise LabError(f"Installed, yet still missing: {', '.join(still)}.")
