"""OCI archives hold what they were given, blobs are what their digests say, the same content has the same digest."""

from __future__ import annotations

import hashlib
import io
import json
import os
import tarfile
from pathlib import Path
from typing import Any

import pytest

from lab.toolchain import oci_archive
from lab.toolchain.oci_archive import Image

REFERENCE = "localhost/part:1"
IMAGES = [Image(REFERENCE)]


@pytest.fixture
def rootfs(tmp_path: Path) -> Path:
    root = tmp_path / "rootfs"
    (root / "usr/bin").mkdir(parents=True)
    (root / "usr/bin/tool").write_text("#!/bin/sh\n")
    (root / "usr/bin/tool").chmod(0o4755)
    (root / "usr/bin/same-tool").hardlink_to(root / "usr/bin/tool")
    (root / "bin").symlink_to("usr/bin")
    (root / "empty").mkdir(mode=0o700)
    (root / "disk").write_bytes(bytes(3_000_000) + b"end")
    return root


def blobs(archive: Path) -> dict[str, bytes]:
    with tarfile.open(archive) as layout:
        files = {member.name: layout.extractfile(member) for member in layout}
        return {name: content.read() for name, content in files.items() if content}


def document(archive: Path, digest: str) -> Any:
    return json.loads(blobs(archive)[f"blobs/sha256/{digest.removeprefix('sha256:')}"])


def layer(archive: Path) -> tarfile.TarFile:
    manifest = document(archive, oci_archive.digest(archive))
    data = blobs(archive)[f"blobs/sha256/{manifest['layers'][0]['digest'].removeprefix('sha256:')}"]
    return tarfile.open(fileobj=io.BytesIO(data))


def test_a_layer_has_the_files_of_a_directory_as_they_are(rootfs: Path, tmp_path: Path) -> None:
    archive = tmp_path / "archive.tar"
    oci_archive.write(archive, IMAGES, oci_archive.tree(rootfs))

    with layer(archive) as files:
        assert files.getnames() == sorted(files.getnames()) == ["bin", "disk", "empty", *files.getnames()[3:]]
        assert files.getmember("bin").linkname == "usr/bin"
        assert files.getmember("empty").mode & 0o7777 == 0o700
        assert files.getmember("usr/bin/tool").islnk() or files.getmember("usr/bin/tool").mode & 0o7777 == 0o4755
        assert {files.getmember(f"usr/bin/{name}").islnk() for name in ("tool", "same-tool")} == {True, False}
        disk = files.extractfile("disk")
        assert disk
        assert disk.read() == (rootfs / "disk").read_bytes()


def test_a_layer_has_single_files_with_their_owner_and_mode(rootfs: Path, tmp_path: Path) -> None:
    archive = tmp_path / "archive.tar"
    oci_archive.write(archive, IMAGES, oci_archive.file(rootfs / "disk", "/disk/a/disk.qcow2", 0o440, owner=107))

    with layer(archive) as files:
        shown = {file.name: (file.isdir(), file.mode, file.uid, file.gid) for file in files}
    assert shown == {
        "disk": (True, 0o755, 0, 0),
        "disk/a": (True, 0o755, 0, 0),
        "disk/a/disk.qcow2": (False, 0o440, 107, 107),
    }


def test_every_blob_is_what_its_digest_and_size_say(rootfs: Path, tmp_path: Path) -> None:
    archive = tmp_path / "archive.tar"
    oci_archive.write(archive, IMAGES, oci_archive.tree(rootfs))

    content = blobs(archive)
    for name, data in content.items():
        if name.startswith("blobs/"):
            assert name == f"blobs/sha256/{hashlib.sha256(data).hexdigest()}"
    manifest = document(archive, oci_archive.digest(archive))
    for described in (manifest["config"], *manifest["layers"]):
        assert described["size"] == len(content[f"blobs/{described['digest'].replace(':', '/')}"])
    assert document(archive, manifest["config"]["digest"])["rootfs"]["diff_ids"] == [manifest["layers"][0]["digest"]]


def test_an_archive_names_its_image_and_says_how_it_runs(rootfs: Path, tmp_path: Path) -> None:
    archive = tmp_path / "archive.tar"
    entries = oci_archive.file(rootfs / "disk", "pause", 0o755)
    oci_archive.write(archive, [Image(REFERENCE, ["/pause"])], entries, architecture="arm64")

    index = json.loads(blobs(archive)["index.json"])["manifests"][0]
    assert index["digest"] == oci_archive.digest(archive)
    assert index["annotations"] == {
        "io.containerd.image.name": "localhost/part:1",
        "org.opencontainers.image.ref.name": "1",
    }
    image = document(archive, document(archive, index["digest"])["config"]["digest"])
    assert (image["os"], image["architecture"], image["config"]) == ("linux", "arm64", {"Entrypoint": ["/pause"]})
    assert json.loads(blobs(archive)["oci-layout"]) == {"imageLayoutVersion": "1.0.0"}


def test_images_of_an_archive_share_its_layer_and_differ_in_how_they_run(rootfs: Path, tmp_path: Path) -> None:
    archive = tmp_path / "archive.tar"
    images = [Image("localhost/a:1", ["/a"]), Image("localhost/b:1", ["/b", "-v"], user="1001")]
    oci_archive.write(archive, images, oci_archive.tree(rootfs))

    index = json.loads(blobs(archive)["index.json"])["manifests"]
    manifests = [document(archive, entry["digest"]) for entry in index]
    settings = [document(archive, manifest["config"]["digest"])["config"] for manifest in manifests]
    assert [entry["annotations"]["io.containerd.image.name"] for entry in index] == ["localhost/a:1", "localhost/b:1"]
    assert settings == [{"Entrypoint": ["/a"]}, {"Entrypoint": ["/b", "-v"], "User": "1001"}]
    assert manifests[0]["layers"] == manifests[1]["layers"]


def test_the_same_content_has_the_same_digest_at_any_time(rootfs: Path, tmp_path: Path) -> None:
    written = []
    for name, day in (("a", 1), ("b", 86400)):
        for path in rootfs.rglob("*"):
            os.utime(path, (day, day), follow_symlinks=False)
        archive = tmp_path / name
        oci_archive.write(archive, IMAGES, oci_archive.tree(rootfs))
        written.append(archive.read_bytes())
    assert written[0] == written[1]

    (rootfs / "empty").chmod(0o755)
    oci_archive.write(tmp_path / "c", IMAGES, oci_archive.tree(rootfs))
    assert oci_archive.digest(tmp_path / "c") != oci_archive.digest(tmp_path / "a")
