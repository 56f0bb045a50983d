"""The state service under the real engine: it ends with the same states as the file backend, also after a kill."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from lab import environment
from lab.config import PROJECT, Lab
from tests.lab.stack import wait_until

TOKEN = "a-token"
STACK = "one"
PROGRAM = """
import os, time
import pulumi
import pulumi_random as random

class Part(pulumi.ComponentResource):
    def __init__(self, name, former, last):
        aliases = [pulumi.Alias(name=former)] if former else []
        opts = pulumi.ResourceOptions(depends_on=[last] if last else [], aliases=aliases)
        super().__init__("many:index:Part", name, None, opts)
        opts = pulumi.ResourceOptions(parent=self, aliases=aliases)
        self.made = random.RandomPassword(name, length=int(settings["length"]), opts=opts)
        self.register_outputs({"made": self.made.result})

settings = {"count": "5", "length": "8", "prefix": "part", "former": "", **dict(
    word.split("=") for word in os.environ["SETTINGS"].split()
)}
last = None
for number in range(int(settings["count"])):
    former = settings["former"] and f"{settings['former']}{number}"
    last = Part(f"{settings['prefix']}{number}", former, last)
pulumi.export("last", last.made.result)
if settings.get("fails"):
    raise RuntimeError("as asked")
if settings.get("hangs"):
    last.made.result.apply(lambda _: time.sleep(600))
"""
# One `up` after the other, with changes that create, replace, delete and rename resources, and one that fails.
HISTORY = (
    "",
    "count=7",
    "count=7 length=9",
    "count=3 length=9 fails=yes",
    "count=3 length=9",
    "count=3 length=9 prefix=piece former=part",
)


@dataclass
class Engine:
    """The engine on a backend, with a program and a stack."""

    lab: Lab
    program: Path
    backend: str

    def start(self, *arguments: str, settings: str = "") -> subprocess.Popen[str]:
        variables = {"PULUMI_BACKEND_URL": self.backend, "PULUMI_ACCESS_TOKEN": TOKEN, "SETTINGS": settings}
        return subprocess.Popen(
            [str(self.lab.binaries / "pulumi"), "--non-interactive", *arguments],
            cwd=self.program,
            env={**environment.process_environment(self.lab), **variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def run(self, *arguments: str, settings: str = "", code: int = 0) -> str:
        process = self.start(*arguments, settings=settings)
        output, _ = process.communicate(timeout=300)
        assert process.returncode == code, output
        return output

    def up(self, settings: str) -> None:
        code = 1 if "fails" in settings else 0
        self.run("up", "--yes", "--skip-preview", "--stack", STACK, settings=settings, code=code)

    def state(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.run("stack", "export", "--stack", STACK))["deployment"]
        return found

    def resources(self) -> list[str]:
        return [one["urn"].rpartition("::")[2] for one in self.state().get("resources") or ()]


def create(lab: Lab, directory: Path, backend: str) -> Engine:
    program = directory / "program"
    program.mkdir(parents=True)
    (program / "__main__.py").write_text(PROGRAM)
    (program / "Pulumi.yaml").write_text("name: many\nruntime: python\n")
    engine = Engine(lab, program, backend)
    engine.run("stack", "init", STACK, "--secrets-provider", "passphrase")
    return engine


@dataclass
class Service:
    """The state service, as a process of its own."""

    directory: Path
    process: subprocess.Popen[str] | None = None
    port: int = 17070

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        token = self.directory.with_name("token")
        token.write_text(f"{TOKEN}\n")
        command = [sys.executable, "-m", "state", str(self.directory), "--token-file", str(token)]
        self.process = subprocess.Popen([*command, "--port", str(self.port)], cwd=PROJECT, text=True)
        wait_until("the service answers", self.answers)

    def answers(self) -> bool:
        try:
            return httpx.get(f"{self.url}/api/user", trust_env=False).status_code == httpx.codes.UNAUTHORIZED
        except httpx.HTTPError:
            return False

    def kill(self) -> None:
        assert self.process
        self.process.kill()
        self.process.wait()


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    found = Service(tmp_path / "states")
    found.start()
    yield found
    found.kill()


@pytest.fixture
def engine(installed_lab: Lab, service: Service, tmp_path: Path) -> Engine:
    return create(installed_lab, tmp_path, service.url)


VARYING = {"outputs", "id", "created", "modified", "provider", "sourcePosition", "stackTrace"}


def compared(state: dict[str, Any]) -> list[dict[str, Any]]:
    """Return what two runs of the same history have in common: all but random values, ciphertexts, times and paths."""
    found = []
    for one in sorted(state.get("resources") or (), key=lambda one: one["urn"]):
        if not any((one.get("propertyDependencies") or {}).values()):
            # After a refresh, no dependencies are either an empty list or nothing.
            one.pop("propertyDependencies", None)
        found.append({**{key: value for key, value in one.items() if key not in VARYING}, "keys": sorted(one)})
    return found


def test_the_states_are_those_of_the_file_backend(installed_lab: Lab, engine: Engine, tmp_path: Path) -> None:
    (tmp_path / "files").mkdir()
    peer = create(installed_lab, tmp_path / "peer", f"file://{tmp_path}/files")
    for settings in HISTORY:
        for one in (engine, peer):
            one.up(settings)
        assert compared(engine.state()) == compared(peer.state()), settings
    for command in ("refresh", "destroy"):
        for one in (engine, peer):
            one.run(command, "--yes", "--skip-preview", "--stack", STACK, settings=HISTORY[-1])
        assert compared(engine.state()) == compared(peer.state()), command
    assert engine.resources() == []
    engine.run("stack", "rm", STACK, "--yes")
    assert STACK not in engine.run("stack", "ls", "--json")


def test_the_file_backend_reads_the_states(engine: Engine, service: Service) -> None:
    engine.up("")
    before = compared(engine.state())
    engine.backend = f"file://{service.directory}"
    assert compared(engine.state()) == before
    assert engine.run("preview", "--stack", STACK, "--expect-no-changes")


def test_after_a_kill_of_engine_and_service_every_finished_operation_is_in_the_state(
    engine: Engine, service: Service
) -> None:
    update = engine.start("up", "--yes", "--skip-preview", "--stack", STACK, settings="hangs=yes")
    wait_until("all are created", lambda: "part4" in engine.resources(), 120)
    os.killpg(update.pid, signal.SIGKILL)
    service.kill()
    update.communicate()
    service.start()
    assert "part4" in engine.resources()

    output = engine.run("up", "--yes", "--skip-preview", "--stack", STACK, code=1)
    assert "run `pulumi cancel`" in output
    engine.run("cancel", "--yes", STACK)
    engine.up("")
    assert engine.run("preview", "--stack", STACK, "--expect-no-changes")


def test_a_service_that_is_started_again_during_an_update_goes_on_with_it(engine: Engine, service: Service) -> None:
    update = engine.start("up", "--yes", "--skip-preview", "--stack", STACK, settings="count=20")
    wait_until("some are created", lambda: "part3" in engine.resources(), 120)
    service.kill()
    time.sleep(0.5)
    service.start()
    output, _ = update.communicate(timeout=300)
    assert update.returncode == 0, output
    assert sum(name.startswith("part") for name in engine.resources()) == 40


def test_a_wrong_token_is_refused(engine: Engine) -> None:
    answer = httpx.get(f"{engine.backend}/api/stacks/organization/many/{STACK}/export", trust_env=False)
    assert answer.status_code == httpx.codes.UNAUTHORIZED
