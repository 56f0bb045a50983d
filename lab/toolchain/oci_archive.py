"""OCI image archives of one layer, from a directory or from single files; the same content has the same digest.

Several images of an archive share the layer, and differ in how they run.

An archive is a tar file of an OCI image layout, as `ctr images import` and `skopeo copy oci-archive:` read it.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import tarfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

# A header of a layer, and the file with the content.
Entry = tuple[tarfile.TarInfo, Path | None]

_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_CONFIG = "application/vnd.oci.image.config.v1+json"
_LAYER = "application/vnd.oci.image.layer.v1.tar"
_CAPABILITIES = "security.capability"


@dataclass(frozen=True, slots=True)
class Image:
    """An image of an archive.

    Attributes:
        reference: The name under which it is imported, such as `localhost/pause:1`.
        entrypoint: The program that a container runs, with its arguments.
        user: The user of that program; default: root.
    """

    reference: str
    entrypoint: Sequence[str] = ()
    user: str = ""

    def settings(self) -> dict[str, object]:
        """Return how it runs, as its configuration says it."""
        settings: dict[str, object] = {"Entrypoint": list(self.entrypoint), "User": self.user}
        return {name: value for name, value in settings.items() if value}


class _Sink:
    """A writer that knows the size and the SHA-256 digest of what went through it."""

    def __init__(self, target: IO[bytes]) -> None:
        self._target = target
        self._digest = hashlib.sha256()
        self.size = 0

    def write(self, data: bytes) -> int:
        self._digest.update(data)
        self.size += len(data)
        return self._target.write(data)

    def flush(self) -> None:
        self._target.flush()

    @property
    def digest(self) -> str:
        return f"sha256:{self._digest.hexdigest()}"


def tree(rootfs: Path) -> Iterator[Entry]:
    """Return the entries of a directory: its files as they are, capabilities and hard links included."""
    with tarfile.open(fileobj=io.BytesIO(), mode="w") as reader:  # it remembers hard links
        for path in sorted(rootfs.rglob("*")):
            info = reader.gettarinfo(path, str(path.relative_to(rootfs)))
            if info and info.isreg():
                with suppress(OSError):  # it has none, or the file system knows none
                    capabilities = os.getxattr(path, _CAPABILITIES).decode("utf-8", "surrogateescape")
                    info.pax_headers = {f"SCHILY.xattr.{_CAPABILITIES}": capabilities}
                yield info, path
            elif info:  # not a socket
                yield info, None


def file(source: Path, path: str, mode: int = 0o644, owner: int = 0) -> Iterator[Entry]:
    """Return the entries of one file: the directories above it, and the file itself.

    Args:
        source: The file with the content.
        path: Its path in the image.
        mode: Its mode.
        owner: Its user and group.
    """
    inside = Path(path.lstrip("/"))
    for parent in reversed(inside.parents[:-1]):
        directory = tarfile.TarInfo(str(parent))
        directory.type, directory.mode = tarfile.DIRTYPE, 0o755
        yield directory, None
    info = tarfile.TarInfo(str(inside))
    info.size, info.mode, info.uid, info.gid = source.stat().st_size, mode, owner, owner
    yield info, source


def _write_layer(sink: _Sink, entries: Iterable[Entry]) -> None:
    with tarfile.open(fileobj=cast(IO[bytes], sink), mode="w|", format=tarfile.PAX_FORMAT) as layer:
        for info, source in entries:
            info.mtime, info.uname, info.gname = 0, "", ""
            if source is None:
                layer.addfile(info)
                continue
            with source.open("rb") as content:
                layer.addfile(info, content)


def _member(name: str, size: int) -> bytes:
    """Return the header of a file of the archive."""
    info = tarfile.TarInfo(name)
    info.size = size
    return info.tobuf(tarfile.GNU_FORMAT)


def _blob_name(digest: str) -> str:
    return f"blobs/{digest.replace(':', '/')}"


def _add(archive: IO[bytes], name: str, data: bytes) -> None:
    archive.write(_member(name, len(data)) + data + bytes(-len(data) % tarfile.BLOCKSIZE))


def _add_blob(archive: IO[bytes], media_type: str, document: object) -> dict[str, object]:
    data = json.dumps(document, sort_keys=True).encode()
    digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
    _add(archive, _blob_name(digest), data)
    return {"mediaType": media_type, "digest": digest, "size": len(data)}


def write(
    archive: Path,
    images: Sequence[Image],
    entries: Iterable[Entry],
    *,
    architecture: str = "amd64",
) -> None:
    """Write an archive.

    Args:
        archive: The file to write.
        images: Its images.
        entries: The content of their layer, in the order in which it is written.
        architecture: The architecture of its programs, by Go's name.
    """
    with archive.open("wb") as target:
        # The layer's header has its digest and size, so it is written when the layer is complete.
        target.seek(tarfile.BLOCKSIZE)
        sink = _Sink(target)
        _write_layer(sink, entries)
        target.write(bytes(-sink.size % tarfile.BLOCKSIZE))
        end = target.tell()
        target.seek(0)
        target.write(_member(_blob_name(sink.digest), sink.size))
        target.seek(end)

        layer = {"mediaType": _LAYER, "digest": sink.digest, "size": sink.size}
        system = {"architecture": architecture, "os": "linux", "rootfs": {"type": "layers", "diff_ids": [sink.digest]}}
        manifests = [_add_image(target, image, system, layer) for image in images]
        index = {"schemaVersion": 2, "manifests": manifests}
        _add(target, "index.json", json.dumps(index, sort_keys=True).encode())
        _add(target, "oci-layout", b'{"imageLayoutVersion": "1.0.0"}')
        target.write(bytes(2 * tarfile.BLOCKSIZE))


def _add_image(
    archive: IO[bytes], image: Image, system: Mapping[str, object], layer: Mapping[str, object]
) -> dict[str, object]:
    """Add an image's configuration and manifest; return the index's entry."""
    config = _add_blob(archive, _CONFIG, {**system, "config": image.settings()})
    document = {"schemaVersion": 2, "mediaType": _MANIFEST, "config": config, "layers": [layer]}
    tag = image.reference.split(":")[-1]
    names = {"io.containerd.image.name": image.reference, "org.opencontainers.image.ref.name": tag}
    return {**_add_blob(archive, _MANIFEST, document), "annotations": names}


def digest(archive: Path) -> str:
    """Return the digest of an archive's first image, by which a registry will know it."""
    with tarfile.open(archive) as layout:
        index = json.load(cast(IO[bytes], layout.extractfile("index.json")))
    return str(index["manifests"][0]["digest"])
