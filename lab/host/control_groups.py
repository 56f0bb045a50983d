"""The lab's control groups, by which everything that it started is found, limited and stopped.

Supports version 1 (with or without the empty `unified` tree) and version 2. Source: the kernel's documents cgroup-v1
and cgroup-v2.
"""

from __future__ import annotations

import os
import shlex
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from lab.config import Lab
from lab.errors import LabError

CONTROLLERS = frozenset({"memory", "cpu", "cpuacct", "pids"})
# What a kubelet uses for its Pods.
KUBELET_CONTROLLERS = CONTROLLERS | {"cpuset", "devices", "freezer", "blkio", "io", "hugetlb", "net_cls", "perf_event"}
CPU_PERIOD_US = 100_000
POLL_SECONDS = 0.01


@dataclass(frozen=True, slots=True)
class Hierarchy:
    """A mounted tree of control groups.

    Attributes:
        mount: Its mount point.
        version: 1 or 2.
        controllers: The wanted controllers that are in this tree.
        base: Directory in which the lab's own tree is created.
    """

    mount: Path
    version: int
    controllers: frozenset[str]
    base: Path


def hierarchies(
    mountinfo: str, membership: str, lab_name: str, wanted: frozenset[str] = CONTROLLERS
) -> list[Hierarchy]:
    """Return the trees to use, given the texts of /proc/self/mountinfo and /proc/self/cgroup.

    With version 1 controllers, the lab's tree is below the caller's own group, whose limits therefore apply. With named
    trees and with version 2, whose inner groups can't have processes, it is below the root.
    """
    own = [line.split(":", 2)[1:] for line in membership.splitlines()]
    found: dict[Path, Hierarchy] = {}
    for line in mountinfo.splitlines():
        before, _, after = line.partition(" - ")
        root, mount = before.split()[3], Path(before.split()[4])
        kind, _, options = after.split()[:3]
        if kind == "cgroup2":
            found[mount] = Hierarchy(mount, 2, frozenset(_words(mount / "cgroup.controllers")) & wanted, mount)
        elif kind == "cgroup":
            names = frozenset(options.split(","))
            controllers = names & wanted
            if controllers:
                path = next((path for keys, path in own if controllers & set(keys.split(","))), "/")
                found[mount] = Hierarchy(mount, 1, controllers, mount / _relative(path, root, lab_name))
            elif "name=systemd" in names:
                found[mount] = Hierarchy(mount, 1, controllers, mount)
    return list(found.values())


def _relative(path: str, root: str, lab_name: str) -> str:
    """Return a group's path below its mount, up to the lab's own tree."""
    inside = path.removeprefix(root.rstrip("/")).strip("/")
    parts = inside.split("/")
    return "/".join(parts[: parts.index(lab_name)]) if lab_name in parts else inside


def _words(file: Path) -> list[str]:
    try:
        return file.read_text().split()
    except OSError:
        return []


class Group:
    """The group `<lab>` or `<lab>/<component or guest>`, in all trees."""

    def __init__(self, name: str, controllers: frozenset[str] = CONTROLLERS) -> None:
        """Name a group, in the trees with some controllers, without creating it."""
        self.name = name
        self._lab, _, self._member = name.partition("/")
        mountinfo, membership = (Path(f"/proc/self/{name}").read_text() for name in ("mountinfo", "cgroup"))
        self._trees = hierarchies(mountinfo, membership, self._lab, controllers)

    def create(self, *, memory: int | None = None, cpus: float | None = None, weight: int = 1) -> list[str]:
        """Create the group, with limits in bytes and in processors.

        Args:
            memory: The most that it may use, in bytes.
            cpus: The most processors that it may use.
            weight: Its share of busy processors, relative to a group with the default of 1.

        Returns:
            The limits that this machine can't enforce, such as "memory".
        """
        for tree in self._trees:
            directory = tree.base / self.name
            if tree.version == 2:
                # Not a member that others are within: it has processes itself.
                for parent in [tree.base, *([tree.base / self._lab] if self._member else [])]:
                    parent.mkdir(exist_ok=True)
                    _delegate(parent, tree.controllers)
            directory.mkdir(parents=True, exist_ok=True)
            if "cpuset" in tree.controllers and tree.version == 1:
                for inner in (directory.parent, directory) if self._member else (directory,):
                    _inherit_processors(inner)
        limits: dict[str, dict[int, dict[str, str]]] = {}  # controller -> version -> file -> content
        if memory is not None:
            limits["memory"] = {1: {"memory.limit_in_bytes": str(memory)}, 2: {"memory.max": str(memory)}}
        if weight != 1:
            limits["cpu"] = {1: {"cpu.shares": str(1024 * weight)}, 2: {"cpu.weight": str(100 * weight)}}
        if cpus is not None:
            quota, period = str(round(cpus * CPU_PERIOD_US)), str(CPU_PERIOD_US)
            cpu = limits.setdefault("cpu", {1: {}, 2: {}})
            cpu[1] |= {"cpu.cfs_period_us": period, "cpu.cfs_quota_us": quota}
            cpu[2] |= {"cpu.max": f"{quota} {period}"}
        return [controller for controller, files in limits.items() if not self._limit(controller, files)]

    def enter(self, command: Sequence[str]) -> list[str]:
        """Return a command that joins the group and then executes `command` in the same process."""
        script = " ".join(
            f"echo $$ > {shlex.quote(str(tree.base / self.name / 'cgroup.procs'))} &&" for tree in self._trees
        )
        return ["sh", "-c", f'{script} exec "$@"', "sh", *command]

    def pids(self) -> set[int]:
        """Return the processes in the group and below."""
        return {
            int(word)
            for top in self.directories()
            for directory, _, _ in os.walk(top)
            for word in _words(Path(directory, "cgroup.procs"))
            if word != "0"
        }

    def kill(self, timeout: float = 10.0) -> None:
        """Kill all processes in the group and below, and wait for their end.

        Raises:
            LabError: Some are still there after `timeout` seconds.
        """
        deadline = time.monotonic() + timeout
        while pids := self.pids():
            for pid in pids:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            if time.monotonic() > deadline:
                raise LabError(f"Processes {sorted(pids)} in the control group {self.name} do not end.")
            time.sleep(POLL_SECONDS)

    def remove(self) -> None:
        """Remove the group and the groups below it, if they exist."""
        for top in self.directories():
            for directory, _, _ in os.walk(top, topdown=False):
                _remove_directory(Path(directory))

    def memory_usage(self) -> dict[str, int]:
        """Return the bytes that each group below uses, without reclaimable file pages; nothing if none is accounted."""
        used: dict[str, int] = {}
        for top in self.directories():
            for directory in filter(Path.is_dir, top.iterdir()):
                # Callers in different groups may have created the same one twice.
                if (found := _memory(directory)) is not None:
                    used[directory.name] = used.get(directory.name, 0) + found
        return used

    def memory_of_pods(self) -> dict[str, int]:
        """Return the bytes that each Pod of a kubelet uses, by the Pod's uid."""
        used: dict[str, int] = {}
        for top in self.directories():
            for place, below, _ in os.walk(top):
                for name in below:
                    if name.startswith("pod") and (found := _memory(Path(place, name))) is not None:
                        used[name.removeprefix("pod")] = found
        return used

    def directories(self) -> Iterator[Path]:
        """Yield the group's directories, including those that a caller in another group created."""
        for tree in self._trees:
            for directory, below, _ in os.walk(tree.mount):
                if self._lab in below:
                    below.remove(self._lab)
                    path = Path(directory, self.name)
                    if path.is_dir():
                        yield path

    def _limit(self, controller: str, files: dict[int, dict[str, str]]) -> bool:
        """Write limits to the tree with the controller; return False if there is none or it refuses."""
        for tree in self._trees:
            if controller in tree.controllers:
                try:
                    for file, value in files[tree.version].items():
                        (tree.base / self.name / file).write_text(value)
                except OSError:
                    return False
                return True
        return False


def _memory(directory: Path) -> int | None:
    for usage, inactive in (("memory.usage_in_bytes", "total_inactive_file"), ("memory.current", "inactive_file")):
        if words := _words(directory / usage):
            stat = _words(directory / "memory.stat")
            cache = int(stat[stat.index(inactive) + 1]) if inactive in stat else 0
            return max(int(words[0]) - cache, 0)
    return None


def group_of(lab: Lab, member: str, controllers: frozenset[str] = CONTROLLERS) -> Group:
    """Return the group of a component, by its name, or of a guest, by its VMI's uid."""
    return Group(f"{lab.name}/{member}", controllers)


def _inherit_processors(directory: Path) -> None:
    """Give a version 1 group its parent's processors, without which it can't have processes."""
    for name in ("cpuset.cpus", "cpuset.mems"):
        if not (directory / name).read_text().strip():
            (directory / name).write_text((directory.parent / name).read_text())
    (directory / "cgroup.clone_children").write_text("1")


def _delegate(directory: Path, controllers: frozenset[str]) -> None:
    """Let groups below a directory have limits; they have none if the directory itself has processes."""
    for controller in sorted(controllers):
        with suppress(OSError):
            (directory / "cgroup.subtree_control").write_text(f"+{controller}")


def _remove_directory(directory: Path, timeout: float = 2.0) -> None:
    """Remove one group, which stays busy for some milliseconds after its last process."""
    deadline = time.monotonic() + timeout
    while directory.exists():
        try:
            directory.rmdir()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(POLL_SECONDS)
