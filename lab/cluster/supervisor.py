"""The lab's components under supervisord, which starts each again when it ends."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any
from xmlrpc.client import Fault, dumps, loads

from lab.config import PROJECT, Lab
from lab.errors import LabError
from lab.files import write_private
from lab.host import network
from lab.host.control_groups import CONTROLLERS, group_of

NAME = "supervisord"
# However supervisord ends, the kernel ends its components, so that the next one finds nothing in its way.
MORTAL = ("setpriv", "--pdeathsig=KILL")
_ANSWER_SECONDS = 20.0
_POLL_SECONDS = 0.05
_LAST_LINES = 8
# Percent by which a Go program's heap grows before garbage is collected. 100, Go's default, costs a starting lab more
# CPU time, and a running one less memory: docs/how-the-lab-works.md has both.
_GOGC = "200"
_INHERITED = ("PATH", "HOME", "XDG_CACHE_HOME")  # the last two locate the cache of guest images
_SOCKET = "supervisord.sock"
_CONFIGURATION = "supervisord.conf"

# Its working directory is the lab's. The path of a socket has to be short, whatever that of the lab is.
_SUPERVISORD = f"""\
[supervisord]
nodaemon=true
silent=true
logfile=logs/{NAME}.log
logfile_maxbytes=20MB
logfile_backups=0
pidfile=run/supervisord.pid
[unix_http_server]
file=/proc/self/cwd/run/{_SOCKET}
chmod=0600
[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface
"""
# With each end within `startsecs`, the pause before the next start becomes a second longer.
_PROGRAM = """\
[program:{name}]
command={command}
autostart=false
autorestart=true
startsecs=5
startretries=1000000
stopsignal=KILL
stopasgroup=true
redirect_stderr=true
stdout_logfile=logs/{name}.log
stdout_logfile_maxbytes=20MB
stdout_logfile_backups=1
"""


@dataclass(frozen=True, slots=True)
class Component:
    """A background process of the lab.

    Attributes:
        name: Its name, also of its log and its control group.
        command: Program and arguments.
        ready: Check that returns why the component is not ready, or None.
        environment: Variables on top of a minimal environment.
        files: Configuration files. An unchanged one isn't touched, because kube-proxy exits when its file is.
        directory: Its working directory.
        controllers: The controllers of its control group.
        within: The component in whose control group it runs, and whose namespaces its command enters; default: the
            lab's.
    """

    name: str
    command: Sequence[str]
    ready: Callable[[], str | None]
    environment: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[Path, str] = field(default_factory=dict)
    directory: Path = PROJECT
    controllers: frozenset[str] = CONTROLLERS
    within: str = ""


@dataclass(frozen=True, slots=True)
class Process:
    """What supervisord says about a component.

    Attributes:
        state: Supervisord's word, such as RUNNING, STOPPED (on request) or BACKOFF (in the pause before a restart).
        pid: Its process; None if none runs.
        ends: How often it has ended by itself.
    """

    state: str
    pid: int | None
    ends: int


class NotRunningError(LabError):
    """Supervisord doesn't run."""

    def __init__(self, lab: Lab) -> None:
        super().__init__(f"{NAME} doesn't run in {lab.root}. Start the lab with `make lab`.")


def log(lab: Lab, name: str) -> Path:
    """Return a component's log file."""
    return lab.logs / f"{name}.log"


def last_lines(lab: Lab, name: str) -> str:
    """Return the last lines that a component has written, below a line that says so."""
    path = log(lab, name)
    lines = path.read_text(errors="replace").splitlines()[-_LAST_LINES:] if path.exists() else []
    return "\n".join((f"Last lines of {path}:", *lines))


def load(lab: Lab, components: Sequence[Component]) -> None:
    """Tell supervisord about the components, without starting any. Start supervisord itself unless it runs.

    A component that runs with another command than it should is stopped.

    Raises:
        LabError: Supervisord can't be started, or doesn't answer.
    """
    for directory in (lab.logs, lab.supervision, *(component.directory for component in components)):
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    for path, text in (item for component in components for item in component.files.items()):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not path.exists() or path.read_text() != text:
            write_private(path, text.encode())
    programs = (_PROGRAM.format(name=one.name, command=_quoted(_command(lab, one))) for one in components)
    write_private(lab.supervision / _CONFIGURATION, "".join((_SUPERVISORD, *programs)).encode())
    try:
        [[added, changed, removed]] = _call(lab, "reloadConfig")
    except NotRunningError:
        _start_supervisord(lab)
    else:
        for name in (*changed, *removed):
            _call(lab, "stopProcessGroup", name)
            _call(lab, "removeProcessGroup", name)
        for name in (*added, *changed):
            _call(lab, "addProcessGroup", name)


def _command(lab: Lab, component: Component) -> list[str]:
    """Return the command that runs a component, in an isolated lab in its namespace and its control group."""
    variables = (f"{name}={value}" for name, value in component.environment.items())
    command = list(component.command)
    if lab.isolated:
        group = group_of(lab, f"{component.within}/{component.name}".lstrip("/"), component.controllers)
        group.create()
        command = group.enter(command if component.within else [*network.inside(lab), *command])
    return [*MORTAL, "env", f"--chdir={component.directory}", *variables, *command]


def _quoted(command: Sequence[str]) -> str:
    """Return a command as a value of supervisord's configuration, where comments and % have a meaning too."""
    words = (re.sub(r"([^\w@%+=:,./-])", r"\\\1", word) or '""' for word in command)
    return " ".join(words).replace("%", "%%")


def _start_supervisord(lab: Lab) -> None:
    (lab.supervision / _SOCKET).unlink(missing_ok=True)  # supervisord takes its time to find out that it is stale
    command = [sys.executable, "-m", "supervisor.supervisord", f"--configuration=run/{_CONFIGURATION}"]
    if lab.isolated:
        group = group_of(lab, NAME)
        group.create()
        command = group.enter(command)
    log(lab, NAME).unlink(missing_ok=True)
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,  # no file: once the disk is full, an error in reporting an error would end it
        cwd=lab.root,
        env={name: os.environ[name] for name in _INHERITED if name in os.environ} | {"GOGC": _GOGC},
        start_new_session=True,
        umask=0o077,
    )
    deadline = time.monotonic() + _ANSWER_SECONDS
    while not _listed(lab):
        if process.poll() is not None or time.monotonic() > deadline:
            process.kill()
            raise LabError(f"{NAME} doesn't start (exit code {process.wait()}). {last_lines(lab, NAME)}")
        time.sleep(_POLL_SECONDS)


def processes(lab: Lab) -> dict[str, Process]:
    """Return the state of every component; nothing if supervisord doesn't run.

    Raises:
        LabError: Supervisord doesn't answer.
    """
    found = _listed(lab)
    ended = re.findall(r" exited: (\S+) \(", log(lab, NAME).read_text(errors="replace")) if found else []
    return {one["name"]: Process(one["statename"], one["pid"] or None, ended.count(one["name"])) for one in found}


def find(lab: Lab, name: str) -> int | None:
    """Return the pid of a component that runs."""
    return next((one["pid"] or None for one in _listed(lab) if one["name"] == name), None)


def _listed(lab: Lab) -> list[dict[str, Any]]:
    """Return what supervisord says about every component; nothing if it doesn't run."""
    try:
        found: list[dict[str, Any]] = _call(lab, "getAllProcessInfo")
    except NotRunningError:
        return []
    return found


def start(lab: Lab, name: str) -> None:
    """Start a component, unless it runs. If it is in the pause before a restart, that ends.

    Raises:
        LabError: Supervisord doesn't run, or doesn't know the component.
    """
    state = _call(lab, "getProcessInfo", name)["statename"]
    if state == "BACKOFF":
        _call(lab, "stopProcess", name)
    if state not in ("STARTING", "RUNNING"):
        _call(lab, "startProcess", name, False)


def stop(lab: Lab, name: str) -> None:
    """Kill a component, and don't start it again until `start` does.

    Raises:
        LabError: Supervisord doesn't run, or doesn't know the component.
    """
    if _call(lab, "getProcessInfo", name)["statename"] in ("STARTING", "RUNNING", "BACKOFF"):
        _call(lab, "stopProcess", name)


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
            what = "exited" if ended else f"is not ready after {timeout:.0f} s ({why})"
            raise LabError(f"{component.name} {what}. {last_lines(lab, component.name)}")
        time.sleep(_POLL_SECONDS)


def shut_down(lab: Lab) -> None:
    """Kill the components and end supervisord, if it runs.

    Raises:
        LabError: It doesn't end.
    """
    deadline = time.monotonic() + _ANSWER_SECONDS
    with suppress(NotRunningError):
        _call(lab, "shutdown")
        while time.monotonic() < deadline:
            _connect(lab).close()
            time.sleep(_POLL_SECONDS)
        raise LabError(f"{NAME} does not end. {last_lines(lab, NAME)}")


def _call(lab: Lab, method: str, *arguments: str | bool) -> Any:
    """Call a method of supervisord's.

    Raises:
        NotRunningError: It doesn't run.
        LabError: It doesn't answer, or refuses.
    """
    connection = HTTPConnection("localhost")
    connection.sock = _connect(lab)
    try:
        with closing(connection):
            connection.request("POST", "/RPC2", dumps(arguments, f"supervisor.{method}"))
            [result], _ = loads(connection.getresponse().read())
    except Fault as fault:
        raise LabError(f"{NAME} refuses {method}{arguments}: {fault.faultString}.") from None
    except ConnectionError:  # it has ended meanwhile
        raise NotRunningError(lab) from None
    except (OSError, HTTPException) as error:
        raise LabError(f"{NAME} doesn't answer: {error}.") from None
    return result


def _connect(lab: Lab) -> socket.socket:
    """Connect to supervisord. A descriptor stands for the directory, whose path may be too long for an address."""
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(_ANSWER_SECONDS)
    try:
        directory = os.open(lab.supervision, os.O_PATH)
        try:
            connection.connect(f"/proc/self/fd/{directory}/{_SOCKET}")
        finally:
            os.close(directory)
    except OSError:
        connection.close()
        raise NotRunningError(lab) from None
    return connection
