"""The stack that the faults are injected into."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bench.stacks import Variant, running
from cloudinit.constants import DATABASE_NAME
from components.names import TierName
from faults.ledger import PREPARE
from kube import client
from kube.client import Api
from kube.resources import VIRTUAL_MACHINE_INSTANCES, VIRTUAL_MACHINES
from lab.config import Lab
from lab.repair import run_in_guest
from lab.toolchain import image

RPS = 30  # of the stack's own load generator
_IMAGE = {"image": {"containerDisk": image.GOLDEN}}
_MIX = {"random": 80, "hot": 5, "missing": 0, "write": 15}
_LOAD = {"dedicated": True, "vcpus": 1, "memory": "384Mi", "rps": RPS, "mix": _MIX, **_IMAGE}


def variant(name: str) -> Variant:
    """Return a stack with two application and two web machines, a database, and a machine for the load."""
    return Variant(name, {"application": {"replicas": 2}, "web": {"replicas": 2}, "load": _LOAD}, purpose="faults")


@dataclass(frozen=True, slots=True)
class Stack:
    """A deployed stack under load.

    Attributes:
        lab: The lab that it is on.
        name: Its name, that of its namespace, and the prefix of its objects' names.
        file: Its stack file.
        url: Base URL of its web Service, reachable from this machine.
        random: For faults at random points.
        kills: How often a fault that kills `up` or `destroy` does so.
    """

    lab: Lab
    name: str
    file: Path
    url: str
    random: random.Random = field(default_factory=random.Random)
    kills: int = 1

    @classmethod
    @contextmanager
    def deployed(cls, lab: Lab, name: str, *, seed: int = 0, kills: int = 1) -> Iterator[Stack]:
        """Deploy a stack on a running lab, with the ledger's accounts; destroy it at the end.

        Raises:
            LabError: Deployment failed.
        """
        with running(lab, [variant(name)]) as (deployed,):
            file, url = deployed.file, deployed.url
            stack = cls(lab, deployed.variant.stack, file, url, random.Random(seed), kills)  # noqa: S311
            stack.sql(PREPARE)
            yield stack

    @property
    def cluster(self) -> Api:
        """A client of the API server."""
        return client.connect(self.lab.kubeconfig)

    def machine(self, tier: TierName, index: int = 0) -> str:
        """Return the name of a tier's machine."""
        return f"{self.name}-{tier}-{index}"

    def machines(self, tier: TierName) -> list[str]:
        """Return the names of a tier's machines."""
        found = self.cluster.list(VIRTUAL_MACHINES, self.name)[0]
        names = sorted(one["metadata"]["name"] for one in found)
        return [name for name in names if name.startswith(f"{self.name}-{tier}-")]

    def uid(self, machine: str) -> str:
        """Return the uid of a machine's instance."""
        return str(self.cluster.get(VIRTUAL_MACHINE_INSTANCES, machine, self.name)["metadata"]["uid"])

    def run(self, machine: str, *command: str) -> str:
        """Run a program in a machine's guest and return its standard output.

        Raises:
            LabError: The guest doesn't run, or the program failed.
        """
        return run_in_guest(self.lab, self.uid(machine), *command)

    def sql(self, *statements: str) -> str:
        """Run SQL statements in the database guest, as its administrator, and return their rows."""
        commands = [word for statement in statements for word in ("--command", statement)]
        psql = ("psql", "--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1")
        machine = self.machine(TierName.DATABASE)
        return self.run(machine, "runuser", "-u", "postgres", "--", *psql, f"--dbname={DATABASE_NAME}", *commands)

    def delete_instances(self, *machines: str) -> None:
        """Delete the instances of machines, as `kubectl delete vmi` does."""
        for machine in machines:
            self.cluster.delete(VIRTUAL_MACHINE_INSTANCES, machine, self.name)

    def not_ready(self) -> list[str]:
        """Return the names of the machines that aren't ready."""
        found = self.cluster.list(VIRTUAL_MACHINES, self.name)[0]
        return sorted(one["metadata"]["name"] for one in found if not one.get("status", {}).get("ready"))
