"""The Prometheus exporters that a guest runs: the distribution's programs, in units of our own.

The units are our own because each distribution names, configures and hardens its own differently.
"""

from cloudinit.constants import PROGRAMS, UNITS
from cloudinit.families import FACTS, Exporter, Family, has_exporter
from cloudinit.guest_files import GuestFile, guest_file, program


def exporter_files(family: Family, *exporters: Exporter) -> list[GuestFile]:
    """Return the units of those exporters that the family has, and the script that starts them."""
    if not exporters:
        return []
    units = [
        guest_file(
            f"common/virtwork-{exporter}-exporter.service.j2", UNITS, program=FACTS[family].exporters[exporter].path
        )
        for exporter in exporters
        if has_exporter(family, exporter)
    ]
    return [program("start-exporters", "common/start-exporters.sh"), *units]


def exporter_commands(family: Family, *exporters: Exporter) -> list[list[str]]:
    """Return the command that starts the exporters, separate so that a tier serves even if they can't be installed."""
    if not exporters:
        return []
    names = [FACTS[family].exporters[exporter].package for exporter in exporters if has_exporter(family, exporter)]
    return [[f"{PROGRAMS}/virtwork-start-exporters", *names]]
