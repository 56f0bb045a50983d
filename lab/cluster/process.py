"""Starting, watching and stopping the lab's components: background processes, each with a record."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from lab.config import PROJECT, Lab
from lab.errors import LabError
from lab.files import write_private
from lab.host import network
from lab.host.control_groups import CONTROLLERS, group_of

_LAST_LINES = 8
_INHERITED = ("PATH", "HOME", "XDG_CACHE_HOME")  # the last two locate the cache of guest images


@dataclass(frozen=True, slots=True)
class Within:
    """The component in which another one runs.

    Attributes:
        name: Its name.
        inside: Returns the prefix that makes a command run in its namespaces.
    """

    name: str
    inside: Callable[[], list[str]]


@dataclass(frozen=True, slots=True)
class Component:
    """A background process of the lab.

    Attributes:
        name: Its name, also of its log, its record and its control group.
        command: Program and arguments.
        ready: Check that returns why the component is not ready, or None.
        environment: Variables on top of a minimal environment.
        files: Configuration files. Not written while it runs, because kube-proxy exits when its file is touched.
        directory: Its working directory.
        controllers: The controllers of its control group.
        within: The component in whose namespaces and control group it runs; default: the lab's.
    """

    name: str
    command: Sequence[str]
    ready: Callable[[], str | None]
    environment: Mapping[str, str]
    files: Mapping[Path, str] = field(default_factory=dict)
    directory: Path = PROJECT
    controllers: frozenset[str] = CONTROLLERS
    within: Within | None = None


def _record(lab: Lab, name: str) -> Path:
    return lab.records / f"{name}.json"


def log(lab: Lab, name: str) -> Path:
    """Return a component's log file."""
    return lab.logs / f"{name}.log"


def start_time(pid: int) -> int | None:
    """Return when a process started, in clock ticks since boot; None if no process (or a zombie) has that pid.

    Pid and start time together identify a process: a reused pid has another start time.
    """
    try:
        # The second field, the program's name, may contain spaces and parentheses.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    state, started = fields[0], fields[19]  # proc(5): fields 3 and 22
    return None if state in "ZX" else int(started)


def find(lab: Lab, name: str) -> int | None:
    """Return the pid of a component that was started and still runs."""
    try:
        record = json.loads(_record(lab, name).read_text())
        pid, recorded = int(record["pid"]), record["start_time"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    started = start_time(pid)
    return pid if started is not None and started == recorded else None


def start(lab: Lab, component: Component) -> None:
    """Start a component, unless it runs.

    Raises:
        LabError: Its program can't be executed, or its record can't be written.
    """
    if find(lab, component.name):
        return
    for directory in (lab.logs, lab.records):
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    for path, text in component.files.items():
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_private(path, text.encode())
    component.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    environment = {**inherited, **component.environment}
    with log(lab, component.name).open("w") as output:
        try:
            process = subprocess.Popen(
                _contained(lab, component),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=component.directory,
                env=environment,
                start_new_session=True,
                umask=0o077,
            )
        except OSError as error:
            raise LabError(f"{component.name} can't be started: {error}") from None
    record = {"pid": process.pid, "start_time": start_time(process.pid)}
    try:
        write_private(_record(lab, component.name), json.dumps(record).encode())
    except OSError as error:  # nothing would find the process again
        process.kill()
        process.wait()
        raise LabError(f"{component.name} can't be recorded, so it was stopped again: {error}") from None


def _contained(lab: Lab, component: Component) -> list[str]:
    """Return the command that runs a component, in an isolated lab in its namespace and a new control group."""
    if not lab.isolated:
        return list(component.command)
    member = f"{component.within.name}/{component.name}" if component.within else component.name
    group = group_of(lab, member, component.controllers)
    if not component.within:  # the containers of a killed containerd keep running
        group.kill()
    group.create()
    return group.enter([*(component.within.inside() if component.within else network.inside(lab)), *component.command])


def stop(lab: Lab, name: str, timeout: float = 10.0) -> None:
    """Kill a component, if it runs.

    Raises:
        LabError: It still runs after `timeout` seconds.
    """
    pid = find(lab, name)
    if pid is None:
        return
    deadline = time.monotonic() + timeout
    with suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)  # the leader of a session also leads a process group
    while find(lab, name) is not None:
        if time.monotonic() > deadline:
            raise LabError(f"{name} (process {pid}) does not end.")
        time.sleep(0.01)


def wait_ready(lab: Lab, component: Component, timeout: float) -> None:
    """Wait until a component is ready.

    Args:
        lab: The lab.
        component: A started component.
        timeout: Seconds.

    Raises:
        LabError: It ended or took too long; the message contains the last lines of its log.
    """
    deadline = time.monotonic() + timeout
    while (why := component.ready()) is not None:
        ended = find(lab, component.name) is None
        if ended or time.monotonic() > deadline:
            what = "ended" if ended else f"is not ready after {timeout:.0f} s ({why})"
            path = log(lab, component.name)
            last_lines = "\n".join(path.read_text(errors="replace").splitlines()[-_LAST_LINES:])
            raise LabError(f"{component.name} {what}. Last lines of {path}:\n{last_lines}")
        time.sleep(0.05)
