"""A stack on the tests' lab, driven by the real Pulumi CLI."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psycopg
import yaml

from cloudinit.constants import DATABASE_NAME, DATABASE_PORT, DATABASE_USER
from kube import client
from kube.client import Api
from kube.resources import SECRETS, SERVICES, VIRTUAL_MACHINE_INSTANCES, VIRTUAL_MACHINES
from lab import environment, mounts, traffic
from lab.config import PROJECT, Lab
from measure.run.stack import StackClient, connect

NAME = "multi-tier"
RPS = 10  # of the shared stack: enough to be seen, and little beside what the tests measure


def wait_until(what: str, check: Callable[[], bool], timeout: float = 60.0) -> None:
    """Poll until `check` holds; fail with `what` after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while not check():
        assert time.monotonic() < deadline, f"not within {timeout:.0f} s: {what}"
        time.sleep(0.1)


def stack_file(directory: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    """Write the file of the stack `lab` to a directory, with its settings changed."""
    document = yaml.safe_load((PROJECT / "stacks" / "Pulumi.lab.yaml").read_text())
    change(document["config"])
    path = directory / "Pulumi.lab.yaml"
    path.write_text(yaml.safe_dump(document))
    return path


@dataclass
class Stack:
    """A stack with its own configuration file.

    Attributes:
        lab: The lab that it is on.
        configuration: Its stack file.
        stack: Its name for Pulumi.
        name: Its settings `name` and `namespace`.
        seconds: How long a command may take.
    """

    lab: Lab
    configuration: Path
    stack: str = "lab"
    name: str = NAME
    seconds: float = 300

    @property
    def cluster(self) -> Api:
        return client.connect(self.lab.kubeconfig)

    def command(self, *arguments: str) -> list[str]:
        """Return a command line of the Pulumi CLI."""
        return [str(self.lab.binaries / "pulumi"), "--non-interactive", *arguments]

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*arguments),
            cwd=PROJECT,
            env=environment.process_environment(self.lab),
            capture_output=True,
            text=True,
            timeout=self.seconds,
            check=False,
        )

    def pulumi(self, command: str, *arguments: str) -> str:
        done = self.run(command, *arguments, "--stack", self.stack, "--config-file", str(self.configuration))
        assert done.returncode == 0, f"pulumi {command} failed:\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def up(self, *arguments: str) -> None:
        self.pulumi("up", "--yes", "--skip-preview", "--suppress-progress", *arguments)

    def create(self) -> None:
        """Create the stack and bring it up."""
        assert self.run("stack", "select", "--create", self.stack).returncode == 0
        self.up()

    @contextmanager
    def deployed(self, seconds: float) -> Iterator[Stack]:
        """Bring the stack up, wait at most some seconds until it serves, and destroy it at the end."""
        assert self.run("stack", "select", "--create", self.stack).returncode == 0
        try:
            self.up()
            wait_until("the web Service's address works on this machine", self.answers, seconds)
            yield self
        finally:
            where = ("--stack", self.stack, "--config-file", str(self.configuration))
            self.run("destroy", "--yes", "--skip-preview", *where)

    def preview(self) -> list[dict[str, Any]]:
        """Return the steps of `pulumi preview`, without unchanged resources."""
        steps = json.loads(self.pulumi("preview", "--json"))["steps"]
        return [step for step in steps if step["op"] != "same"]

    def configure(self, path: str, value: object) -> None:
        self.run(
            "config", "set", "--path", path, str(value), "--stack", self.stack, "--config-file", str(self.configuration)
        )

    def measure(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run `python -m measure` on this stack."""
        command, *rest = arguments
        where = ["--kubeconfig", str(self.lab.kubeconfig), "--namespace", self.name, "--name", self.name]
        return subprocess.run(
            [sys.executable, "-m", "measure", command, *where, *rest],
            cwd=PROJECT,
            env=environment.process_environment(self.lab),
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    def load_cluster(self) -> StackClient:
        """Return the client with which `measure` reaches the load agent."""
        return StackClient(connect(self.lab.kubeconfig, None), namespace=self.name, name=self.name)

    def outputs(self) -> dict[str, Any]:
        done = self.run("stack", "output", "--json", "--stack", self.stack)
        assert done.returncode == 0, done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def client(self) -> httpx.Client:
        """Return a client of the web tier, by its Service's address: only guests resolve the Service's name."""
        url = traffic.reachable_url(self.cluster, f"http://{self.name}-web.{self.name}/")
        return httpx.Client(base_url=url, timeout=10, trust_env=False)

    def answers(self) -> bool:
        """Whether the web tier is alive."""
        return self._is_ok("/health")

    def serves(self) -> bool:
        """Whether a request passes through all tiers."""
        return self._is_ok("/api/v1/accounts/1")

    def _is_ok(self, path: str) -> bool:
        try:
            with self.client() as client:
                return client.get(path).status_code == httpx.codes.OK
        except httpx.HTTPError:
            return False

    def password(self) -> str:
        secret = self.cluster.get(SECRETS, f"{self.name}-credentials", self.name)
        return base64.b64decode(secret["data"]["password"]).decode()

    def database(self) -> psycopg.Connection[tuple[Any, ...]]:
        """Connect as the application does: to the Service over TCP, with the shared password."""
        service = self.cluster.get(SERVICES, f"{self.name}-database", self.name)
        host = service["spec"]["clusterIP"]
        return psycopg.connect(
            host=host,
            port=DATABASE_PORT,
            user=DATABASE_USER,
            dbname=DATABASE_NAME,
            password=self.password(),
            connect_timeout=5,
        )

    def instance_uid(self, machine: str) -> str:
        return str(self.cluster.get(VIRTUAL_MACHINE_INSTANCES, machine, self.name)["metadata"]["uid"])

    def machine_ready(self, machine: str) -> bool:
        return bool(self.cluster.get(VIRTUAL_MACHINES, machine, self.name).get("status", {}).get("ready"))

    def guest_file(self, machine: str, path: str) -> Path:
        """Return the path of a running guest's file on this machine."""
        return self.lab.guests / self.instance_uid(machine) / "root" / path.lstrip("/")

    def machine_traces(self) -> list[str]:
        """Return what guests left in this machine's kernel: namespaces, links, mounts and loop devices."""
        return kernel_traces(self.lab, guests_only=True)


def kernel_traces(lab: Lab, *, guests_only: bool = False) -> list[str]:
    """Return the namespaces, links, mounts, loop devices, nft tables and control groups with the lab's name."""

    def lines(*command: str) -> list[str]:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()

    marks = [f"{lab.name}-"] if guests_only else [lab.name, f"mt-{lab.id}"]
    found = [line for line in lines("ip", "netns") + lines("ip", "-o", "link") if any(mark in line for mark in marks)]
    places = [str(lab.guests), str(lab.disks)] if guests_only else [str(lab.root)]
    found += [str(point) for place in places for point in mounts.below(Path(place))]
    found += [line for line in lines("losetup", "-l", "-n", "-O", "NAME,BACK-FILE") if any(p in line for p in places)]
    found += [table for table in lines("nft", "list", "tables") if lab.name.replace("-", "_") in table]
    groups = [str(path) for path in Path("/sys/fs/cgroup").glob(f"**/{lab.name}*")]
    return found + ([] if guests_only else groups)
