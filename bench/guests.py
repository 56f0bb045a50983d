"""Looking into a stack's guests on the lab: processor time, addresses, processes."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kube import client
from kube.resources import VIRTUAL_MACHINE_INSTANCES
from lab.config import Lab
from lab.errors import LabError
from lab.host.control_groups import group_of


class Guests:
    """The guests of one namespace."""

    def __init__(self, lab: Lab, namespace: str) -> None:
        self._lab = lab
        cluster = client.connect(lab.kubeconfig)
        self._instances = {
            item["metadata"]["name"]: item for item in cluster.list(VIRTUAL_MACHINE_INSTANCES, namespace)[0]
        }

    def names(self) -> list[str]:
        """Return the guests' names."""
        return sorted(self._instances)

    def address(self, name: str) -> str:
        """Return a guest's IP address."""
        return str(self._instances[name]["status"]["interfaces"][0]["ipAddress"])

    def cpu_seconds(self) -> float:
        """Return the processor time that all processes of all guests have used, in seconds."""
        return sum(cpu_seconds(pid) for name in self._instances for pid in self._pids(name))

    def process(self, name: str, *words: str) -> int:
        """Return the id, on this machine, of the guest's one process whose command line has all the words.

        Raises:
            LabError: there is none, or more than one.
        """
        found = [pid for pid in self._pids(name) if all(word in _command(pid) for word in words)]
        if len(found) != 1:
            raise LabError(f"{len(found)} processes of {name} have {' '.join(words)} in their command line, not one.")
        return found[0]

    def leader(self, name: str) -> int:
        """Return the id, on this machine, of the guest's first process."""
        return next(pid for pid in self._pids(name) if _innermost_id(pid) == "1")

    def processes(self, name: str) -> set[int]:
        """Return the ids, on this machine, of all of the guest's processes."""
        return self._pids(name)

    def written(self, name: str) -> Path:
        """Return the directory with what a guest has written over its image."""
        return self._lab.guests / self._uid(name) / "upper"

    def root(self, name: str) -> Path:
        """Return a guest's root directory, as this machine sees it."""
        return self._lab.guests / self._uid(name) / "root"

    @contextmanager
    def frozen(self, pid: int) -> Iterator[None]:
        """Stop a process for as long as the context lasts; it goes on afterwards, whatever happens."""
        os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(pid, signal.SIGCONT)

    def freeze(self, pid: int, seconds: float) -> None:
        """Stop a process for some seconds."""
        with self.frozen(pid):
            time.sleep(seconds)

    def _uid(self, name: str) -> str:
        return str(self._instances[name]["metadata"]["uid"])

    def _pids(self, name: str) -> set[int]:
        return group_of(self._lab, self._uid(name)).pids()


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


def _innermost_id(pid: int) -> str:
    """Return the id that a process has for itself."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return ""
    (line,) = (line for line in status.splitlines() if line.startswith("NSpid:"))
    return line.split()[-1]


def cpu_seconds(pid: int) -> float:
    """Return the processor time that a process has used, in seconds; nothing for one that is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    # utime and stime are the 14th and 15th field of proc(5); the first two are cut off above.
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
