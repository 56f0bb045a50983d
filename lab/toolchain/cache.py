"""What takes long to build, cached in the user's cache directory under a key of its inputs."""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from lab import mounts


def directory() -> Path:
    """Return `$XDG_CACHE_HOME/multi-tier`, or `~/.cache/multi-tier`."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "multi-tier"


def key(parts: Iterable[str | bytes]) -> str:
    """Return a short hash of some content."""
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        digest.update(len(data).to_bytes(8, "big") + data)
    return digest.hexdigest()[:16]


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def get(kind: str, name: str, make: Callable[[Path], None]) -> Path:
    """Return the cached directory `<kind>/<name>`; `make` fills it if it does not exist.

    The directory gets its final name only when it is complete, so that an interrupted run leaves nothing that looks
    finished. Of two runs at once, one waits for the other.

    Raises:
        LabError: What an interrupted run left can't be removed, or `make` failed.
    """
    final = directory() / kind / name
    if final.is_dir():
        return final
    final.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    with _locked(final.parent / f"{name}.lock"):
        if not final.is_dir():
            partial = final.with_name(f"{name}.partial")
            mounts.unmount(partial)
            mounts.remove_tree(partial)
            partial.mkdir()
            make(partial)
            partial.rename(final)
    return final
