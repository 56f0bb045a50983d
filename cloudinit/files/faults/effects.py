"""What a fault does to its machine, by its kind."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from .commands import EffectError
from .disk import DiskFill, DiskLatency
from .fault_plan import Fault, Kind
from .network import Network
from .process import Freeze, Kill
from .stress import CpuStress, MemoryStress


class Effect(Protocol):
    """An effect on the machine; the process that began it ends it, or systemd ends the process and calls `undo`."""

    def begin(self) -> str:
        """Put it in force; return how, where there are several ways.

        Raises:
            EffectError: This machine can't have it.
            OSError: The same.
        """

    def end(self) -> None:
        """End it, in the process that began it, without a failed request where that is possible."""

    def undo(self) -> None:
        """Undo what outlives the process that began it, if anything is left of it."""


@dataclass(frozen=True)
class Machine:
    """What faults need to know about their machine.

    Attributes:
        tier: Its tier.
        number: Its number in the tier; -1 for a canary.
        service: Name or pattern of the unit of the tier's service.
        target_port: The port of the tier behind it; None if there is none.
        disk: Where the data disk is mounted; None if there is none.
    """

    tier: str
    number: int
    service: str
    target_port: int | None
    disk: Path | None


def read_machine(environment: Mapping[str, str], hostname: str) -> Machine:
    """Return the machine that an environment and a host name describe.

    Raises:
        KeyError: Something is missing in the environment.
        ValueError: The host name has no number.
    """
    port, disk = environment.get("TARGET_PORT"), environment.get("DATA_DISK")
    return Machine(
        tier=environment["TIER"],
        number=_number(hostname),
        service=environment["SERVICE"],
        target_port=int(port) if port else None,
        disk=Path(disk) if disk else None,
    )


def _number(hostname: str) -> int:
    """Return a machine's number in its tier, with which its name ends; -1 for a canary."""
    found = re.search(r"(-canary)?-([0-9]+)$", hostname.partition(".")[0])
    if found is None:
        raise ValueError(f"the host name {hostname} does not end with a number")
    return -1 if found[1] else int(found[2])


def effect_of(fault: Fault, machine: Machine) -> Effect:
    """Return the effect of a fault on a machine.

    Raises:
        EffectError: The machine has nothing that the fault could affect, or a parameter is missing.
    """
    try:
        return _effect(fault.kind, fault.parameters, machine)
    except (KeyError, TypeError) as error:
        raise EffectError(f"the fault {fault.title} is invalid: {error}") from None


def _effect(kind: Kind, parameters: Mapping[str, float], machine: Machine) -> Effect:
    if kind is Kind.KILL:
        return Kill(machine.service)
    if kind is Kind.FREEZE:
        return Freeze(machine.service)
    if kind is Kind.CPU:
        return CpuStress(parameters["load"])
    if kind is Kind.MEMORY:
        return MemoryStress(int(parameters["size"]))
    if kind is Kind.NETWORK and machine.target_port:
        return Network(machine.service, machine.target_port, parameters)
    if kind is Kind.DISK_FILL and machine.disk:
        return DiskFill(machine.disk, parameters["fill"])
    if kind is Kind.DISK_LATENCY and machine.disk:
        return DiskLatency(machine.disk, parameters["latency"])
    raise EffectError(f"a machine of the {machine.tier} tier can't have a {kind.value} fault")
