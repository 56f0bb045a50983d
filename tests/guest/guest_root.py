"""A guest's root file system to run single programs in: real packages, without booting anything.

The image is only read. What is written goes to memory, in namespaces of its own, and is gone with the process.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from tests.unit.cloudinit.guest_examples import parse

# Prepares the namespaces, then stays in the image as the process that holds them.
_HOLD = """
mount -t tmpfs tmpfs /mnt
mkdir /mnt/upper /mnt/work /mnt/guest
mount -t overlay overlay -o lowerdir="$1",upperdir=/mnt/upper,workdir=/mnt/work /mnt/guest
mount --rbind /dev /mnt/guest/dev
mount -t proc proc /mnt/guest/proc
mount -t tmpfs tmpfs /mnt/guest/run
mount -t tmpfs -o mode=1777 tmpfs /mnt/guest/tmp
ip link set lo up
exec chroot /mnt/guest sleep infinity
"""


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer, header names in lower case."""

    status: int
    headers: dict[str, str]
    body: str
    seconds: float

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class GuestRoot:
    """Runs programs inside one set of namespaces over the image."""

    def __init__(self, pid: int) -> None:
        self._enter = ["nsenter", f"--target={pid}", "--mount", "--net", "--pid", "--root", "--wd", "--"]
        self._root = Path(f"/proc/{pid}/root")
        self.network_namespace = Path(f"/proc/{pid}/ns/net")

    def run(self, *command: str, check: bool = True, stdin: str | None = None) -> str:
        """Return what a program prints, both streams together."""
        done = subprocess.run(
            [*self._enter, *command],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            input=stdin,
            text=True,
            check=False,
            timeout=30,
        )
        if check and done.returncode != 0:
            raise AssertionError(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}")
        return done.stdout

    @contextlib.contextmanager
    def running(self, *command: str, log: Path) -> Iterator[subprocess.Popen[bytes]]:
        """Keep a program running, its output in a file."""
        with log.open("ab") as output:
            process = subprocess.Popen([*self._enter, *command], stdout=output, stderr=output)
        try:
            yield process
        finally:
            with contextlib.suppress(psutil.NoSuchProcess):
                for child in psutil.Process(process.pid).children():  # nsenter waits for the program
                    child.terminate()
            process.wait(10)

    def write(self, path: str, content: str, mode: int = 0o644) -> None:
        target = self._root / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(content, encoding="utf-8")
        target.chmod(mode)

    def read(self, path: str) -> str:
        return (self._root / path.lstrip("/")).read_text(encoding="utf-8")

    def read_until(self, path: str, text: str, *, seconds: float = 5) -> str:
        """Read a file until it has a text in it."""
        deadline = time.monotonic() + seconds
        while text not in (content := self.read(path)):
            if time.monotonic() > deadline:
                raise AssertionError(f"{path} has no {text} after {seconds} s")
            time.sleep(0.01)
        return content

    def write_files(self, user_data: str) -> None:
        """Write what the user data's write_files holds, as cloud-init would."""
        for file in parse(user_data)["write_files"]:
            self.write(file["path"], file["content"], int(file["permissions"], 8))

    def get(self, url: str, *options: str) -> Answer:
        """Ask by curl, inside."""
        started = time.monotonic()
        text = self.run("curl", "--silent", "--include", "--max-time", "20", *options, url)
        seconds = time.monotonic() - started
        head, _, body = text.replace("\r\n", "\n").partition("\n\n")
        first, *lines = head.splitlines()
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        return Answer(int(first.split()[1]), headers, body, seconds)

    def get_until(self, url: str, status: int, *, seconds: float = 10) -> Answer:
        """Ask until the answer has a status."""
        deadline = time.monotonic() + seconds
        answer: Answer | None = None
        while True:
            with contextlib.suppress(AssertionError):  # nobody listens yet
                answer = self.get(url)
                if answer.status == status:
                    return answer
            if time.monotonic() > deadline:
                raise AssertionError(f"{url} did not answer {status} within {seconds} s; last: {answer}")
            time.sleep(0.05)


@contextlib.contextmanager
def guest_root(image: Path) -> Iterator[GuestRoot]:
    """Open an image; everything that was started or written in it ends with the context."""
    namespaces = ["--mount", "--net", "--pid", "--uts", "--propagation=private", "--fork", "--kill-child=KILL"]
    command: Sequence[str] = ["unshare", *namespaces, "sh", "-euc", _HOLD, "sh", str(image)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as holder:
        try:
            yield GuestRoot(_await_holder(holder))
        finally:
            holder.kill()


def _await_holder(holder: subprocess.Popen[str]) -> int:
    """Wait until the image is in place, and return the process that is in it."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and holder.poll() is None:
        children = psutil.Process(holder.pid).children()
        with contextlib.suppress(psutil.NoSuchProcess):
            if children and children[0].name() == "sleep":
                return children[0].pid
        time.sleep(0.005)
    holder.kill()
    words = holder.stderr.read() if holder.stderr else ""
    raise RuntimeError(f"The guest image could not be opened (root rights are needed): {words}")
