"""Fault injection in a guest: the agent that follows the fault plan, which is not part of the user data."""

from dataclasses import dataclass

from cloudinit.constants import SETTINGS, UNITS
from cloudinit.guest_files import GuestFile, guest_file, modules, unit_settings

FAULTS_UNIT = "virtwork-faults.service"


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultObjects:
    """The ConfigMaps of a stack's faults.

    Attributes:
        plan: Name of the one with the plan, which guests read.
        reports: Name of the one in which guests report.
    """

    plan: str
    reports: str


def fault_files(
    objects: FaultObjects,
    *,
    tier: str,
    service: str,
    target_port: int | None = None,
    data_disk: str | None = None,
) -> list[GuestFile]:
    """Return the files of a guest's fault injection.

    Args:
        objects: The ConfigMaps.
        tier: The guest's tier.
        service: Name or pattern of the unit of the tier's service.
        target_port: Port of the tier behind it; None if there is none.
        data_disk: Where its data disk is mounted; None if it has none.
    """
    settings: dict[str, str | int] = {
        "API_ACCESS": f"{SETTINGS}/api",
        "FAULTS": objects.plan,
        "FAULT_REPORTS": objects.reports,
        "TIER": tier,
        "SERVICE": service,
    }
    if target_port is not None:
        settings["TARGET_PORT"] = target_port
    if data_disk is not None:
        settings["DATA_DISK"] = data_disk
    return [
        *modules("faults"),
        GuestFile(path=f"{SETTINGS}/faults.env", content=unit_settings(**settings)),
        guest_file(f"faults/{FAULTS_UNIT}", UNITS),
    ]
