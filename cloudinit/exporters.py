"""The exporters of Prometheus metrics that a guest runs: the distribution's programs, in units of our own.

A unit of our own, because each distribution names, configures and hardens its own differently.
"""

from cloudinit.constants import PROGRAMS, UNITS
from cloudinit.document import GuestFile
from cloudinit.families import FACTS, Exporter, Family, has_exporter
from cloudinit.guest_files import program
from cloudinit.templates import render


def exporter_files(family: Family, *exporters: Exporter) -> list[GuestFile]:
    """The units of those exporters that the family has, and the script that starts them."""
    units = [
        GuestFile(
            path=f"{UNITS}/virtwork-{exporter}-exporter.service",
            content=render(
                f"common/virtwork-{exporter}-exporter.service.j2", program=FACTS[family].exporters[exporter].path
            ),
        )
        for exporter in exporters
        if has_exporter(family, exporter)
    ]
    return [program("start-exporters", "common/start-exporters.sh"), *units]


def exporter_commands(family: Family, *exporters: Exporter) -> list[list[str]]:
    """What starts the exporters; a command of its own, so that a tier serves whether or not they can be had."""
    names = [FACTS[family].exporters[exporter].package for exporter in exporters if has_exporter(family, exporter)]
    return [[f"{PROGRAMS}/virtwork-start-exporters", *names]]
