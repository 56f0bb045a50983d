"""A stack's guests on the lab: addresses, processes, processor time, commands."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from kube import client
from kube.resources import VIRTUAL_MACHINE_INSTANCES
from lab.command import run
from lab.config import Lab
from lab.errors import LabError
from lab.host.control_groups import group_of


class Guests:
    """The guests in one namespace."""

    def __init__(self, lab: Lab, namespace: str) -> None:
        self._lab = lab
        cluster = client.connect(lab.kubeconfig)
        self._instances = {
            item["metadata"]["name"]: item for item in cluster.list(VIRTUAL_MACHINE_INSTANCES, namespace)[0]
        }

    def names(self) -> list[str]:
        """Return the names of the guests."""
        return sorted(self._instances)

    def address(self, name: str) -> str:
        """Return a guest's IP address."""
        return str(self._instances[name]["status"]["interfaces"][0]["ipAddress"])

    def cpu_seconds(self) -> dict[str, float]:
        """Return the processor time that each guest's processes have used, those that ended included, in seconds."""
        return {name: sum(map(cpu_seconds, self.processes(name))) for name in self._instances}

    def processes(self, name: str) -> set[int]:
        """Return the ids, on this machine, of a guest's processes."""
        return group_of(self._lab, self._uid(name)).pids()

    def process(self, name: str, *words: str) -> int:
        """Return the id, on this machine, of the guest's only process whose command line contains all the words.

        Raises:
            LabError: Not exactly one process matches.
        """
        found = self.matching(name, *words)
        if len(found) != 1:
            raise LabError(f"{name} has {len(found)} processes with {' '.join(words)} in their command lines, not one.")
        return found[0]

    def matching(self, name: str, *words: str) -> list[int]:
        """Return the ids of a guest's processes whose command lines contain all the words."""
        return [pid for pid in self.processes(name) if all(word in _command(pid) for word in words)]

    def leader(self, name: str) -> int:
        """Return the id, on this machine, of a guest's init process."""
        return next(pid for pid in self.processes(name) if _innermost_id(pid) == "1")

    def run(self, name: str, script: str) -> str:
        """Run a shell script as root in a guest, and return its standard output.

        Raises:
            LabError: A command failed.
        """
        enter = ("nsenter", f"--target={self.leader(name)}", "--mount", "--net", "--pid", "--uts", "--ipc", "--")
        environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}  # not this machine's proxies
        return run(*enter, "sh", "-ec", script, env=environment, failure=f"A script failed in the guest {name}")

    def root(self, name: str) -> Path:
        """Return a guest's root directory, as this machine sees it."""
        return Path(f"/proc/{self.leader(name)}/root")

    def written(self, name: str) -> Path:
        """Return the directory of the files that a guest has written over its image."""
        return self._lab.guests / self._uid(name) / "upper"

    def freeze(self, pid: int, seconds: float) -> None:
        """Stop a process for some seconds."""
        os.kill(pid, signal.SIGSTOP)
        try:
            time.sleep(seconds)
        finally:
            os.kill(pid, signal.SIGCONT)

    def _uid(self, name: str) -> str:
        return str(self._instances[name]["metadata"]["uid"])


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


def _innermost_id(pid: int) -> str:
    """Return the id of a process in its own PID namespace."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return ""
    (line,) = (line for line in status.splitlines() if line.startswith("NSpid:"))
    return line.split()[-1]


def cpu_seconds(pid: int) -> float:
    """Return the processor time that a process and its ended children have used, in seconds; 0 if it has exited."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    # utime, stime, cutime and cstime, fields 14 to 17 of proc_pid_stat(5); the first two are cut off above.
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")
