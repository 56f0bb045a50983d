"""Keeps the application's credentials as the cluster has them: `python3 -m application.credentials`, as root.

Writes each into a file that only root and the application can read, and tells the application about changes.
"""

import grp
import logging
import os
import socket
import subprocess
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from .constants import APPLICATION_ACCOUNT
from .kubernetes import ApiObject, Contents, SourceError, follow

SERVICE = "virtwork-app.service"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Kept:
    """A file that is kept as an object's data.

    Attributes:
        path: The file.
        resource: `secrets` or `configmaps`.
        name: The object's name.
        key: The key of its data.
    """

    path: Path
    resource: str
    name: str
    key: str


class Keeper:
    """Keeps files.

    Args:
        files: What to keep.
        group: Group of the files.
        changed: Called after a file has changed, with all of them there.
    """

    def __init__(self, files: tuple[Kept, ...], group: int, changed: Callable[[], None]) -> None:
        self._files = files
        self._group = group
        self._changed = changed
        self._lock = threading.Lock()
        self._logged = ""

    @property
    def complete(self) -> bool:
        """Whether all files are there."""
        return all(kept.path.exists() for kept in self._files)

    def keep(self, access: Path, stop: threading.Event) -> None:
        """Keep every file until `stop` is set."""

        def follower(kept: Kept) -> threading.Thread:
            source = ApiObject(access, kept.resource, kept.name)
            arguments = (source, lambda contents: self._take(kept, contents), self._log, stop)
            return threading.Thread(target=follow, args=arguments, daemon=True)

        threads = [follower(kept) for kept in self._files]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _take(self, kept: Kept, contents: Contents) -> None:
        if kept.key not in contents.data:
            raise SourceError(f"{kept.resource}/{kept.name} has no {kept.key} yet")
        with self._lock:
            content = contents.data[kept.key]
            if kept.path.exists() and kept.path.read_text(encoding="utf-8") == content:
                return
            self._write(kept.path, content)
            log.info("%s is that of %s/%s", kept.path.name, kept.resource, kept.name)
            if self.complete:
                self._changed()

    def _write(self, path: Path, content: str) -> None:
        with tempfile.NamedTemporaryFile("w", dir=path.parent, encoding="utf-8", delete=False) as file:
            file.write(content)
            os.fchown(file.fileno(), -1, self._group)
            os.fchmod(file.fileno(), 0o440)
        Path(file.name).replace(path)

    def _log(self, problem: str) -> None:
        if problem != self._logged:
            log.warning("%s; trying again", problem)
        self._logged = problem


def notify_ready() -> None:
    """Tell systemd that the service has started."""
    if address := os.environ.get("NOTIFY_SOCKET"):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
            notify.sendto(b"READY=1", "\0" + address[1:] if address.startswith("@") else address)


def main() -> None:
    """Keep the files that the environment names."""
    logging.basicConfig(format="multi-tier credentials: %(message)s", level=logging.INFO)
    files = [Kept(Path(os.environ["DATABASE_PASSWORD"]), "secrets", os.environ["SECRET"], "password")]
    if certificate := os.environ.get("DATABASE_CERTIFICATE"):
        files.append(Kept(Path(certificate), "configmaps", os.environ["CONFIG_MAP"], "tls.crt"))

    def changed() -> None:
        notify_ready()
        # Fails while the application doesn't run; it reads the files when it starts.
        subprocess.run(["systemctl", "reload", "--no-block", SERVICE], stderr=subprocess.DEVNULL, check=False)

    keeper = Keeper(tuple(files), grp.getgrnam(APPLICATION_ACCOUNT).gr_gid, changed)
    if keeper.complete:  # from an earlier boot: the API server need not be there
        notify_ready()
    keeper.keep(Path(os.environ["CREDENTIALS_DIRECTORY"]), threading.Event())


if __name__ == "__main__":
    main()
