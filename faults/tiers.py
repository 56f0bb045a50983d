"""Faults of the application and web tiers, each of which has two machines."""

from __future__ import annotations

import time

from components.names import TierName
from faults.fault import fault
from faults.stack import Stack

FROZEN_SECONDS = 10.0
_KILLS = 6
_APPLICATION = "virtwork-app.service"
_WEB = "nginx.service"


@fault()
def application_killed(stack: Stack) -> None:
    """The application's process is killed on one of two machines."""
    _signal(stack, stack.machine(TierName.APPLICATION), _APPLICATION, "KILL")


@fault()
def application_killed_six_times(stack: Stack) -> None:
    """The application's process is killed six times in a row on one of two machines, each time once it runs again."""
    machine = stack.machine(TierName.APPLICATION)
    for _ in range(_KILLS):
        stack.run(
            machine, "timeout", "20", "sh", "-c", f"until systemctl is-active -q {_APPLICATION}; do sleep 0.1; done"
        )
        _signal(stack, machine, _APPLICATION, "KILL")


@fault()
def application_frozen(stack: Stack) -> None:
    """The application's process is frozen for 10 s on one of two machines."""
    machine = stack.machine(TierName.APPLICATION)
    _signal(stack, machine, _APPLICATION, "STOP")
    try:
        time.sleep(FROZEN_SECONDS)
    finally:
        _signal(stack, machine, _APPLICATION, "CONT")


@fault(tolerated=0)
def application_vmi_deleted(stack: Stack) -> None:
    """The instance of one of two application machines is deleted."""
    stack.delete_instances(stack.machine(TierName.APPLICATION))


@fault()
def application_vmis_deleted(stack: Stack) -> None:
    """The instances of all application machines are deleted."""
    stack.delete_instances(*stack.machines(TierName.APPLICATION))


@fault()
def web_killed(stack: Stack) -> None:
    """All processes of nginx are killed on one of two machines."""
    _signal(stack, stack.machine(TierName.WEB), _WEB, "KILL")


@fault(tolerated=0)
def web_reloaded(stack: Stack) -> None:
    """Both web machines load the configuration of nginx again."""
    for machine in stack.machines(TierName.WEB):
        stack.run(machine, "systemctl", "reload", _WEB)


@fault(tolerated=0)
def web_vmi_deleted(stack: Stack) -> None:
    """The instance of one of two web machines is deleted."""
    stack.delete_instances(stack.machine(TierName.WEB))


@fault()
def web_vmis_deleted(stack: Stack) -> None:
    """The instances of all web machines are deleted."""
    stack.delete_instances(*stack.machines(TierName.WEB))


FAULTS = (
    application_killed,
    application_killed_six_times,
    application_frozen,
    application_vmi_deleted,
    application_vmis_deleted,
    web_killed,
    web_reloaded,
    web_vmi_deleted,
    web_vmis_deleted,
)


def _signal(stack: Stack, machine: str, unit: str, name: str) -> None:
    stack.run(machine, "systemctl", "kill", f"--signal={name}", unit)
