"""The Prometheus exporters that a guest runs: the distribution's programs, in units of our own.

The units are our own because each distribution names, configures and hardens its own differently.
"""

from cloudinit.constants import UNITS
from cloudinit.families import FACTS, Exporter, Family, has_exporter
from cloudinit.guest_files import GuestFile, guest_file, program

EXPORTERS_UNIT = "virtwork-exporters.service"


def exporter_files(family: Family, *exporters: Exporter, faults: bool) -> list[GuestFile]:
    """Return the units of those exporters that the family has, and the unit that installs and starts them.

    Args:
        family: The guest's family.
        exporters: The exporters.
        faults: Whether the guest has metrics of faults.
    """
    if not exporters:
        return []
    available = [exporter for exporter in exporters if has_exporter(family, exporter)]
    programs = {exporter: FACTS[family].exporters[exporter] for exporter in available}
    units = [
        guest_file(f"common/virtwork-{one}-exporter.service.j2", UNITS, program=programs[one].path, faults=faults)
        for one in available
    ]
    names = [programs[exporter].package for exporter in available]
    return [
        program("start-exporters", "common/start-exporters.sh"),
        guest_file(f"common/{EXPORTERS_UNIT}.j2", UNITS, packages=names),
        *units,
    ]
