"""Stacks of many objects on a lab whose guests are simulated, and what each command of the engine costs."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import yaml
from rich.console import Console

from bench.guests import cpu_seconds
from bench.labs import own_lab
from bench.stacks import LAB_STACK
from kube import client
from lab import environment
from lab.config import GuestKind, Lab
from lab.errors import LabError
from lab.host.control_groups import group_of

NAME = "fleet"
_PROGRAM = Path(__file__).parent / NAME
_SECONDS = 1800.0
_SETTLE_SECONDS = 300.0
_IDLE_SECONDS = 3.0
_IDLE_SHARE = 0.2  # of a processor
_SAMPLE_SECONDS = 0.1
# At most so many operations at once. With fewer, waiting for machines to become ready would be measured.
_PARALLEL = 64
# The provider's own limit of 50 requests per second would be measured otherwise.
_REQUESTS_PER_SECOND = 1000
_PROVIDER = "pulumi-resource-"


class Kind(StrEnum):
    """What a fleet consists of.

    Attributes:
        CONFIGMAPS: ConfigMaps, the least that the engine can create.
        CREATED: Machines that aren't started.
        FILES: The same, with the state in the file backend instead of a journal.
        READY: Machines that are started, and awaited until they are ready.
        POOLED: The same, in one pool.
    """

    CONFIGMAPS = "configmaps"
    CREATED = "created"
    FILES = "created, file backend"
    READY = "ready"
    POOLED = "pooled"


@dataclass(frozen=True, slots=True)
class Cost:
    """What a command cost.

    Attributes:
        seconds: How long it took.
        memory_mib: Peak memory of the engine and the language host, in MiB.
        provider_mib: Peak memory of the provider, in MiB.
    """

    seconds: float
    memory_mib: float
    provider_mib: float


@contextmanager
def simulated_lab(console: Console) -> Iterator[Lab]:
    """Run a lab with simulated guests and a namespace for fleets, beside any other lab.

    Raises:
        LabError: It doesn't start.
    """
    with own_lab(console, GuestKind.SIMULATED) as lab:
        namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAME}}
        client.connect(lab.kubeconfig).apply(namespace)
        yield lab


class Fleet:
    """A stack of objects of one kind."""

    def __init__(self, lab: Lab, kind: Kind, count: int, directory: Path) -> None:
        """Prepare a stack with a file in this directory; `up` creates the objects."""
        self._lab = lab
        self._stack = f"{kind.name.lower()}-{count}"
        self._variables = {
            **environment.process_environment(lab),
            "PULUMI_K8S_CLIENT_QPS": str(_REQUESTS_PER_SECOND),
            "PULUMI_K8S_CLIENT_BURST": str(_REQUESTS_PER_SECOND),
        }
        if kind is Kind.FILES:
            self._variables["PULUMI_BACKEND_URL"] = f"file://{directory}"
            kind = Kind.CREATED
        self._file = directory / f"Pulumi.{self._stack}.yaml"
        self._log = directory / f"{self._stack}.log"
        config = {f"{NAME}:kind": str(kind), f"{NAME}:count": count}
        salt = yaml.safe_load(LAB_STACK.read_text())["encryptionsalt"]
        self._file.write_text(yaml.safe_dump({"config": config, "encryptionsalt": salt}))
        try:
            self._run("stack", "init", self._stack, "--no-select", "--secrets-provider", "passphrase")
        finally:
            # The engine writes this file when it creates a stack. Another one is in use.
            (_PROGRAM / f"Pulumi.{self._stack}.yaml").unlink(missing_ok=True)

    def up(self) -> Cost:
        """Create the objects, or find that nothing has changed."""
        return self._command("up", "--skip-preview", "--yes", "--suppress-progress")

    def settle(self) -> None:
        """Wait until the API server has little to do, as when somebody asks for a preview.

        The controllers still work on new machines for most of a minute after a thousand of them are created.

        Raises:
            LabError: It is busy after five minutes.
        """
        server = group_of(self._lab, "kube-apiserver")
        deadline = time.monotonic() + _SETTLE_SECONDS
        while True:
            before = sum(map(cpu_seconds, server.pids()))
            time.sleep(_IDLE_SECONDS)
            if sum(map(cpu_seconds, server.pids())) - before < _IDLE_SHARE * _IDLE_SECONDS:
                return
            if time.monotonic() > deadline:
                raise LabError(f"the API server is still busy {_SETTLE_SECONDS:g} s after {self._stack} was created")

    def preview(self) -> Cost:
        """Find out what `up` would do."""
        return self._command("preview")

    def destroy(self) -> Cost:
        """Delete the objects and the stack."""
        cost = self._command("destroy", "--skip-preview", "--yes", "--suppress-progress")
        self._run("stack", "rm", self._stack, "--yes", "--preserve-config")
        return cost

    def _command(self, *arguments: str) -> Cost:
        where = ("--stack", self._stack, "--config-file", str(self._file))
        return self._run(*arguments, *where, "--parallel", str(_PARALLEL))

    def _run(self, *arguments: str) -> Cost:
        """Run the engine.

        Raises:
            LabError: It failed.
        """
        group = group_of(self._lab, "pulumi")
        group.create()
        command = group.enter([str(self._lab.binaries / "pulumi"), "--non-interactive", *arguments])
        places = list(group.directories())  # once: to find them takes a walk through all control groups
        peaks: dict[int, tuple[str, int]] = {}
        begun = time.monotonic()
        with self._log.open("w") as log:
            process = subprocess.Popen(
                command,
                cwd=_PROGRAM,
                env=self._variables,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
            try:
                while process.poll() is None and time.monotonic() < begun + _SECONDS:
                    peaks |= {pid: found for pid in _members(places) if (found := _peak(pid))}
                    with suppress(subprocess.TimeoutExpired):
                        process.wait(_SAMPLE_SECONDS)
            finally:
                seconds = time.monotonic() - begun
                group.kill()
                process.wait()
        if process.returncode != 0:
            last = self._log.read_text()[-1500:]
            raise LabError(f"`pulumi {' '.join(arguments)}` failed with exit code {process.returncode}:\n{last}")
        provider = sum(used for program, used in peaks.values() if program.startswith(_PROVIDER))
        engine = sum(used for _, used in peaks.values()) - provider
        return Cost(seconds, engine / 1024, provider / 1024)


def _members(groups: Iterable[Path]) -> set[int]:
    return {int(pid) for group in groups for pid in (group / "cgroup.procs").read_text().split()}


def _peak(pid: int) -> tuple[str, int] | None:
    """Return the name of a process's program and its peak memory in KiB; None if it has ended."""
    with suppress(OSError):
        program = Path(f"/proc/{pid}/exe").readlink().name
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return program, int(line.split()[1])
    return None
