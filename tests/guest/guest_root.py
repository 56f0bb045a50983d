"""A guest's root file system, in which single programs run without booting the guest.

The image is never written to: an overlay in memory takes all writes, in namespaces that end with the process. Only
/mnt is a directory on a disk.
"""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from tests.unit.cloudinit.guest_examples import parse

# Sets up the mounts, then stays in the image as the process that keeps the namespaces alive.
_HOLD = """
mount -t tmpfs tmpfs /mnt
mkdir /mnt/upper /mnt/work /mnt/guest
mount -t overlay overlay -o lowerdir="$1",upperdir=/mnt/upper,workdir=/mnt/work /mnt/guest
mount --rbind /dev /mnt/guest/dev
mount --bind "$2" /mnt/guest/mnt
mount -t proc proc /mnt/guest/proc
mount -t tmpfs tmpfs /mnt/guest/run
mount -t tmpfs -o mode=1777 tmpfs /mnt/guest/tmp
ip link set lo up
exec chroot /mnt/guest sleep infinity
"""


@dataclass(frozen=True, slots=True)
class Response:
    """An HTTP response, header names in lower case."""

    status: int
    headers: dict[str, str]
    body: str
    seconds: float

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class GuestRoot:
    """Runs programs in the namespaces over an image."""

    def __init__(self, pid: int) -> None:
        self._enter = ["nsenter", f"--target={pid}", "--mount", "--net", "--pid", "--root", "--wd", "--"]
        self._root = Path(f"/proc/{pid}/root")
        self.network_namespace = Path(f"/proc/{pid}/ns/net")

    def run(self, *command: str, check: bool = True, stdin: str | None = None, seconds: float = 30) -> str:
        """Run a program for at most some time, and return its output, both streams together."""
        done = subprocess.run(
            [*self._enter, *command],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            input=stdin,
            text=True,
            check=False,
            timeout=seconds,
        )
        if check and done.returncode != 0:
            raise AssertionError(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}")
        return done.stdout

    @contextlib.contextmanager
    def running(self, *command: str, log: Path) -> Iterator[subprocess.Popen[bytes]]:
        """Run a program in the background, its output in a file."""
        with log.open("ab") as output:
            process = subprocess.Popen([*self._enter, *command], stdout=output, stderr=output)
        try:
            yield process
        finally:
            with contextlib.suppress(psutil.NoSuchProcess):
                for child in psutil.Process(process.pid).children():  # nsenter exits when the program does
                    child.terminate()
                process.send_signal(signal.SIGCONT)  # and stops when the program does
            process.wait(10)

    def write(self, path: str, content: str, mode: int = 0o644) -> None:
        target = self._root / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(content, encoding="utf-8")
        target.chmod(mode)

    def read(self, path: str) -> str:
        return (self._root / path.lstrip("/")).read_text(encoding="utf-8", errors="replace")

    def read_until(self, path: str, text: str, *, seconds: float = 5) -> str:
        """Return a file's content once it contains a text."""
        deadline = time.monotonic() + seconds
        while text not in (content := self.read(path)):
            if time.monotonic() > deadline:
                raise AssertionError(f"{path} does not contain {text} after {seconds} s")
            time.sleep(0.01)
        return content

    def write_files(self, user_data: str) -> None:
        """Write the files in user data, as cloud-init does."""
        for file in parse(user_data)["write_files"]:
            self.write(file["path"], file["content"], int(file["permissions"], 8))

    def get(self, url: str, *options: str) -> Response:
        """Send a request with the image's curl."""
        started = time.monotonic()
        text = self.run("curl", "--silent", "--include", "--max-time", "20", *options, url)
        seconds = time.monotonic() - started
        head, _, body = text.replace("\r\n", "\n").partition("\n\n")
        first, *lines = head.splitlines()
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        return Response(int(first.split()[1]), headers, body, seconds)

    def get_until(self, url: str, status: int, *, seconds: float = 10) -> Response:
        """Repeat a request until the response has a status."""
        deadline = time.monotonic() + seconds
        response: Response | None = None
        while True:
            with contextlib.suppress(AssertionError):  # nothing listens yet
                response = self.get(url)
                if response.status == status:
                    return response
            if time.monotonic() > deadline:
                raise AssertionError(f"{url} did not respond with {status} within {seconds} s; last: {response}")
            time.sleep(0.05)


@contextlib.contextmanager
def guest_root(image: Path, disk: Path) -> Iterator[GuestRoot]:
    """Open an image; the context's end stops all programs and discards all writes."""
    namespaces = ["--mount", "--net", "--pid", "--uts", "--propagation=private", "--fork", "--kill-child=KILL"]
    command: Sequence[str] = ["unshare", *namespaces, "sh", "-euc", _HOLD, "sh", str(image), str(disk)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as holder:
        try:
            yield GuestRoot(_await_holder(holder))
        finally:
            holder.kill()


def _await_holder(holder: subprocess.Popen[str]) -> int:
    """Wait until the image is mounted, and return the PID of the process inside it."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and holder.poll() is None:
        children = psutil.Process(holder.pid).children()
        with contextlib.suppress(psutil.NoSuchProcess):
            if children and children[0].name() == "sleep":
                return children[0].pid
        time.sleep(0.005)
    holder.kill()
    said = holder.stderr.read() if holder.stderr else ""
    raise RuntimeError(f"Could not open the guest image; run the tests as root. {said}")
