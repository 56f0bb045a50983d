"""A second web server and application inside a stack's guests: for variants that no setting makes."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import httpx
import psutil

from bench.guests import cpu_seconds
from bench.stacks import Running
from cloudinit.constants import APPLICATION_PORT
from lab.errors import LabError

_START_SECONDS = 15.0
_PLACE = "opt/bench"  # below a guest's root


@dataclass(frozen=True, slots=True)
class Chain:
    """A second web server and application that run.

    Attributes:
        url: base URL of the web server.
        groups: the process groups that they are.
    """

    url: str
    groups: tuple[int, ...]

    def cpu_seconds(self) -> float:
        """Return the processor time that both have used, in seconds."""
        return sum(cpu_seconds(pid) for pid in psutil.pids() if _group(pid) in self.groups)


@contextmanager
def chain(stack: Running, port: int, *, attribution: bool) -> Iterator[Chain]:
    """Run nginx and the application once more, on ports `port` and `port + 1`, and end them.

    Args:
        stack: in whose first web and application guest.
        port: of nginx.
        attribution: with the clocks, header and access log that the stack's own have; or without all of it.

    Raises:
        LabError: it doesn't serve.
    """
    names = stack.guests.names()
    (web,) = (name for name in names if name.endswith("-web-0"))
    (application,) = (name for name in names if name.endswith("-application-0"))
    url = f"http://{stack.guests.address(web)}:{port}"
    with (
        _running(stack, application, _application(stack, application, port + 1, attribution)) as behind,
        _running(stack, web, _nginx(stack, web, port, stack.guests.address(application), attribution)) as before,
    ):
        _await(url)
        yield Chain(url, (before, behind))


def _application(stack: Running, name: str, port: int, attribution: bool) -> str:
    unit = (stack.guests.root(name) / "etc/systemd/system/virtwork-app.service").read_text()
    (command,) = re.findall(r"^ExecStart=((?:.*\\\n)*.*)", unit, re.M)
    command = command.replace(f"--port {APPLICATION_PORT}", f"--port {port}")
    environment = "CREDENTIALS_DIRECTORY=/etc/virtwork PYTHONDONTWRITEBYTECODE=1"
    environment += "" if attribution else " ATTRIBUTION=off"
    return f"set -a; . /etc/virtwork/application.env; export {environment}; exec {command}"


def _nginx(stack: Running, name: str, port: int, application: str, attribution: bool) -> str:
    root = stack.guests.root(name)
    text = (root / "etc/nginx/nginx.conf").read_text()
    upstream = (root / "etc/nginx/virtwork/upstream.conf").read_text()
    upstream = re.sub(rf"server \S+:{APPLICATION_PORT} ", f"server {application}:{port + 1} ", upstream)
    text = re.sub(r"(listen (?:\[::\]:)?)80 ", rf"\g<1>{port} ", text)
    text = text.replace("/run/nginx.pid", f"/{_PLACE}/{port}.pid").replace("access.json", f"access-{port}.json")
    text = re.sub(r"include /etc/nginx/virtwork/upstream\.conf;", lambda _: upstream, text)
    if not attribution:
        text = re.sub(r"access_log .*;", "access_log off;", text)
    place = root / _PLACE
    place.mkdir(exist_ok=True)
    (place / f"{port}.conf").write_text(text)
    return f"exec nginx -c /{_PLACE}/{port}.conf -g 'daemon off;'"


@contextmanager
def _running(stack: Running, name: str, script: str) -> Iterator[int]:
    """Run a shell script inside a guest for as long as the context lasts, and yield its process group."""
    enter = ["nsenter", "--target", str(stack.guests.leader(name)), "--mount", "--net", "--pid", "--uts"]
    process = subprocess.Popen(
        [*enter, "sh", "-c", script], start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    try:
        yield process.pid
    except LabError as error:
        if process.poll() is not None and process.stderr:
            raise LabError(f"{error} {shlex.quote(script)} said: {process.stderr.read().decode()[-500:]}") from None
        raise
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        process.wait(10)


def _group(pid: int) -> int | None:
    try:
        return os.getpgid(pid)
    except ProcessLookupError:
        return None


def _await(url: str) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        with suppress(httpx.HTTPError):
            if httpx.get(f"{url}/api/v1/accounts/1", timeout=2, trust_env=False).status_code == httpx.codes.OK:
                return
        time.sleep(0.1)
    raise LabError(f"{url} does not serve within {_START_SECONDS:.0f} s.")
