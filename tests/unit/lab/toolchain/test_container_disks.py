"""What is said about a container disk is enough to push it and to use what was pushed."""

from __future__ import annotations

import re
from pathlib import Path

from cloudinit.families import release_of
from lab.toolchain import container_disks, oci_archive
from lab.toolchain.image import GOLDEN


def test_the_commands_name_the_archive_the_registry_and_the_digest(tmp_path: Path) -> None:
    disk, archive = tmp_path / "disk.qcow2", tmp_path / "container-disk.tar"
    disk.write_bytes(bytes(1000))
    oci_archive.write(archive, [oci_archive.Image(GOLDEN)], oci_archive.file(disk, "disk/disk.qcow2"))

    said = container_disks.instructions(GOLDEN, archive, "registry.example/vms/")

    pushed = "registry.example/vms/multi-tier-golden:debian-12"
    assert f"skopeo copy --preserve-digests oci-archive:{archive} docker://{pushed}\n" in said
    used = re.search(r"containerDisk: (\S+)$", said)
    assert used
    assert used[1] == f"{pushed}@{oci_archive.digest(archive)}"
    assert release_of(used[1]) == release_of("debian:12")
