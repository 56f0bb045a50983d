"""An HTTP server in the lab's network, where machines reach it: of files, and of OCI archives as a registry does it."""

from __future__ import annotations

import random
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from kube import client
from kube.resources import Resource
from lab.config import PROJECT, Lab
from lab.toolchain import oci_archive
from lab.toolchain.node_image import QEMU_USER
from tests.lab.stack import wait_until

# A raw disk, to be found below its name and in a container image.
DISK = random.Random(1).randbytes(8 << 20)
DISK_FILE, DISK_IMAGE = "disk.raw", "disk:1"
PORT = 5000
_CDI_CONFIGS = Resource("cdi.kubevirt.io/v1beta1", "cdiconfigs", namespaced=False)


def fill(directory: Path) -> None:
    """Add the raw disk to a served directory, as a file and in an image."""
    disk, archive = directory / DISK_FILE, directory / "archive.tar"
    disk.write_bytes(DISK)
    layer = oci_archive.file(disk, "disk/disk.raw", 0o440, owner=QEMU_USER)
    oci_archive.write(archive, [oci_archive.Image(DISK_IMAGE)], layer)
    add_image(directory, archive, DISK_IMAGE)


def add_image(directory: Path, archive: Path, name: str) -> None:
    """Add the image of an OCI archive to a served directory, as a registry serves it."""
    repository, _, tag = name.rpartition(":")
    place = directory / "v2" / repository
    (place / "manifests").mkdir(parents=True)
    with tarfile.open(archive) as layout:
        layout.extractall(place, filter="data")
    for blob in (place / "blobs" / "sha256").iterdir():
        blob.rename(place / "blobs" / f"sha256:{blob.name}")
    (place / "manifests" / tag).hardlink_to(place / "blobs" / oci_archive.digest(archive))


@contextmanager
def serving(lab: Lab, directory: Path) -> Iterator[str]:
    """Serve a directory to the lab's machines; yield the address and port, from which CDI takes images by HTTP."""
    inside = ["ip", "netns", "exec", lab.name, "setpriv", "--pdeathsig=KILL"]
    command = [*inside, sys.executable, "-m", "tests.machines.image_server", str(lab.address), str(directory)]
    with subprocess.Popen(command, cwd=PROJECT) as process:
        address = f"{lab.address}:{PORT}"
        cluster = client.connect(lab.kubeconfig)
        wait_until("CDI has its configuration", lambda: cluster.find(_CDI_CONFIGS, "config") is not None)
        cluster.patch(_CDI_CONFIGS, "config", {"spec": {"insecureRegistries": [address]}})
        try:
            yield address
        finally:
            process.terminate()


class _Handler(SimpleHTTPRequestHandler):
    def guess_type(self, path: str) -> str:  # type: ignore[override]
        manifest = Path(path).parent.name == "manifests"
        return "application/vnd.oci.image.manifest.v1+json" if manifest else "application/octet-stream"


if __name__ == "__main__":
    _, host, served = sys.argv
    ThreadingHTTPServer((host, PORT), partial(_Handler, directory=served)).serve_forever()
