"""Faults of deployments: `pulumi` killed at random points, two at once, and changes that roll through a tier."""

from __future__ import annotations

import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import yaml

from bench.stacks import Variant, configuration, create, remove
from components.names import TierName
from faults.fault import Fault, fault
from faults.stack import Stack
from kube import client
from kube.resources import NAMESPACES, VIRTUAL_MACHINE_INSTANCES, VIRTUAL_MACHINES
from lab import backend, deployment, environment
from lab.config import PROJECT, Lab
from lab.errors import LabError

_OTHER = Variant("other", {"load": {"enabled": False}}, purpose="faults")
_TIERS = (TierName.DATABASE, TierName.APPLICATION, TierName.WEB)
_TIMEOUT = 300.0


@dataclass(frozen=True, slots=True)
class Other:
    """A second, small stack on the same lab, which no load is sent to.

    Attributes:
        lab: The lab.
        file: Its stack file.
    """

    lab: Lab
    file: Path

    def start(self, command: str) -> subprocess.Popen[bytes]:
        """Start `pulumi up` or `pulumi destroy`."""
        where = ("--stack", _OTHER.stack, "--config-file", str(self.file))
        return subprocess.Popen(
            [self.lab.binaries / "pulumi", "--non-interactive", command, *where, "--yes", "--skip-preview"],
            cwd=PROJECT,
            env=environment.process_environment(self.lab),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def up(self) -> None:
        """Run one `up` to its end, as `make lab` does, and check that all is there.

        Raises:
            LabError: It failed, or left something missing or too much.
        """
        deployment.up(self.lab, _OTHER.stack, "--config-file", str(self.file))
        cluster = client.connect(self.lab.kubeconfig)
        found = {one["metadata"]["name"]: one for one in cluster.list(VIRTUAL_MACHINES, _OTHER.stack)[0]}
        expected = {f"{_OTHER.stack}-{tier}-0" for tier in _TIERS}
        if set(found) != expected or not all(one.get("status", {}).get("ready") for one in found.values()):
            raise LabError(f"After one more `up`, the machines are {sorted(found)}, or not all of them are ready.")
        if backend.pending_operations(self.lab, _OTHER.stack):
            raise LabError("After one more `up`, the state has pending operations.")

    def destroy(self) -> None:
        """Run one `destroy` to its end, and check that nothing is left.

        Raises:
            LabError: It failed, or left something.
        """
        deployment.destroy(self.lab, _OTHER.stack)
        cluster = client.connect(self.lab.kubeconfig)
        if cluster.find(NAMESPACES, _OTHER.stack) or cluster.list(VIRTUAL_MACHINE_INSTANCES, _OTHER.stack)[0]:
            raise LabError("After one more `destroy`, the namespace or a machine is left.")


@contextmanager
def _other(lab: Lab) -> Iterator[Other]:
    with tempfile.TemporaryDirectory() as directory:
        other = Other(lab, configuration(Path(directory), _OTHER))
        try:
            create(lab, _OTHER.stack)
            yield other
        finally:
            with suppress(LabError):  # the body says what went wrong first
                other.destroy()
                remove(lab, _OTHER.stack, other.file)


def _killed(stack: Stack, other: Other, command: str, usual: float) -> None:
    """Start a command, and kill its engine at a random point of the time that it usually takes."""
    process = other.start(command)
    try:
        process.wait(stack.random.uniform(0, usual))
    except subprocess.TimeoutExpired:
        process.kill()
    finally:
        process.wait()


@fault(tolerated=0)
def deployments_killed(stack: Stack) -> None:
    """`up` and `destroy` of another stack are killed at random points; one more of each completes them."""
    with _other(stack.lab) as other:
        began = time.monotonic()
        other.up()
        up_took, began = time.monotonic() - began, time.monotonic()
        other.destroy()
        destroy_took = time.monotonic() - began
        for _ in range(stack.kills):
            _killed(stack, other, "up", up_took)
            other.up()
            _killed(stack, other, "destroy", destroy_took)
            other.destroy()


@fault(tolerated=0)
def two_ups_at_once(stack: Stack) -> None:
    """Two `up`s of another stack start at the same time: one is refused or waits, and one more changes nothing."""
    with _other(stack.lab) as other:
        both = [other.start("up") for _ in range(2)]
        try:
            codes = [one.wait(_TIMEOUT) for one in both]
        finally:
            for one in both:
                one.kill()
        if 0 not in codes:
            raise LabError(f"Of two `up`s at once, none succeeded: exit codes {codes}.")
        other.up()


def _changed(tier: TierName, stack: Stack) -> None:
    """Give a tier more memory, which replaces its machines."""
    document = yaml.safe_load(stack.file.read_text())
    settings = document["config"][f"multi-tier:{tier}"]
    settings["memory"] = f"{int(settings['memory'].removesuffix('Mi')) + 16}Mi"
    stack.file.write_text(yaml.safe_dump(document))
    deployment.up(stack.lab, stack.name, "--config-file", str(stack.file))


_CHANGES = tuple(
    Fault(f"{tier}-changed", f"A change of memory rolls through the {tier} tier.", partial(_changed, tier), tolerated=0)
    for tier in (TierName.APPLICATION, TierName.WEB)
)
FAULTS = (*_CHANGES, deployments_killed, two_ups_at_once)
