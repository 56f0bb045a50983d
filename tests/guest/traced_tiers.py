"""The application and web tiers with tracing enabled, beside those of running_tiers and on the same database."""

from __future__ import annotations

import random
import re
import shlex
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from cloudinit.constants import APPLICATION_PORT, LIBRARY
from tests.guest.guest_root import GuestRoot
from tests.guest.running_tiers import DATABASE_HOST, learn_upstream
from tests.unit.cloudinit.guest_examples import application, parse, web
from tests.unit.cloudinit.otlp_receiver import Receiver, receiving

APPLICATION = "http://127.0.0.1:8180"
WEB = "http://127.0.0.1:180"
ACCESS_LOG = "/opt/test/traced/access.json"
_HOME = "/opt/test/traced"


@dataclass(frozen=True)
class TracedTiers:
    """The guest that the tiers run in, and the receiver of their spans."""

    guest: GuestRoot
    receiver: Receiver


@contextmanager
def traced_tiers(guest: GuestRoot, logs: Path) -> Iterator[TracedTiers]:
    """Run both tiers and the access log's follower; fail if one of them logs a traceback."""
    with ExitStack() as running:
        receiver = running.enter_context(receiving(guest.network_namespace))
        files = guest_files(application(database_host=DATABASE_HOST, tracing=receiver.url))
        run_application(running, guest, files, 8180, logs / "application")

        files = guest_files(web(tracing=receiver.url), install=guest)
        nginx = files["/etc/virtwork/nginx.conf"]
        for old, new in {
            ":80 ": ":180 ",
            "listen 80 ": "listen 180 ",
            "/run/nginx.pid": f"{_HOME}/nginx.pid",
            "/var/log/nginx/access.json": ACCESS_LOG,
            "flush=1s": "flush=10ms",
            "/etc/nginx/virtwork/upstream.conf": f"{_HOME}/upstream.conf",
        }.items():
            assert old in nginx
            nginx = nginx.replace(old, new)
        guest.write(f"{_HOME}/nginx.conf", nginx)
        learn_upstream(guest)  # other tests may have reset it
        upstream = guest.read("/etc/nginx/virtwork/upstream.conf")
        guest.write(f"{_HOME}/upstream.conf", upstream.replace(f":{APPLICATION_PORT}", ":8180"))
        command = ["nginx", "-c", f"{_HOME}/nginx.conf", "-g", "daemon off;"]
        running.enter_context(guest.running(*command, log=logs / "nginx"))
        guest.get_until(f"{WEB}/api/v1/accounts/1", 200)
        unit = files["/etc/systemd/system/virtwork-web-spans.service"]
        environment = [*_settings(files["/etc/virtwork/web-spans.env"]), f"PYTHONPATH={LIBRARY}"]
        follow = shlex.split(_command(unit).replace("/var/log/nginx/access.json", ACCESS_LOG))
        running.enter_context(guest.running("env", *environment, *follow, log=logs / "spans"))
        _await_follower(guest, receiver)
        yield TracedTiers(guest, receiver)
    for log in ("application", "spans"):
        assert "Traceback" not in (logs / log).read_text(encoding="utf-8")


def _await_follower(guest: GuestRoot, receiver: Receiver) -> None:
    """Wait until the follower reports; it skips what was logged before its start."""
    deadline = time.monotonic() + 10
    while not any(span.service == "multi-tier-web" for span in receiver.spans):
        assert time.monotonic() < deadline, "the access log's follower reports no span"
        header = f"traceparent: 00-{random.getrandbits(128):032x}-{1:016x}-01"
        guest.get(f"{WEB}/api/v1/accounts/1", "--header", header)
        time.sleep(0.05)


def run_application(running: ExitStack, guest: GuestRoot, files: Mapping[str, str], port: int, log: Path) -> None:
    """Run an application with the files of its user data, on another port."""
    _install(guest, files)
    start = _command(files["/etc/systemd/system/virtwork-app.service"]).replace(
        f"--port {APPLICATION_PORT}", f"--port {port}"
    )
    environment = _settings(files["/etc/virtwork/application.env"])
    running.enter_context(guest.running("env", *environment, *shlex.split(start), log=log))


def guest_files(user_data: str, install: GuestRoot | None = None) -> dict[str, str]:
    """Return the files of the user data by path, and install their Python modules in a guest if one is given."""
    files = {file["path"]: file["content"] for file in parse(user_data)["write_files"]}
    if install:
        _install(install, files)
    return files


def _install(guest: GuestRoot, files: Mapping[str, str]) -> None:
    """Install the Python modules, with shorter intervals than in a real guest."""
    for path, content in files.items():
        if path.startswith("/usr/local/lib/"):
            guest.write(path, re.sub(r"^(BATCH|POLL|ROTATION)_SECONDS = .*", _sooner, content, flags=re.M))


def _sooner(setting: re.Match[str]) -> str:
    return f"{setting[1]}_SECONDS = {0.25 if setting[1] == 'ROTATION' else 0.02}"


def _command(unit: str) -> str:
    (command,) = re.findall(r"^ExecStart=((?:.*\\\n)*.*)", unit, re.M)
    return str(command).replace("\\\n", " ")


def _settings(environment_file: str) -> list[str]:
    return [shlex.split(line)[0] for line in environment_file.splitlines()]
