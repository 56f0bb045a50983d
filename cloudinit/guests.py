"""What all guests have in common: their inputs, and the parts of their user data."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cloudinit.constants import PROGRAMS, SETTINGS, UNITS
from cloudinit.document import archive
from cloudinit.exporters import EXPORTERS_UNIT, exporter_files
from cloudinit.families import FACTS, OLDEST_PYTHON, Exporter, Family
from cloudinit.faults import FAULTS_UNIT
from cloudinit.guest_files import GuestFile, guest_file, program, shell_settings, source
from cloudinit.site import ANYWHERE, Site, site_commands, site_files, site_keys

_CONFIGURE_UNIT = "virtwork-configure.service"
# Runs a command as soon as cloud-init has written the files, by the names that its service has had: the two stages that
# follow, and only then `runcmd`, take a second or more. A shell, because the command does not exist yet.
_EARLY = (
    *("cloud-init-per", "instance", "virtwork-start", "systemd-run", "--no-block", "--collect", "--quiet"),
    *("--property=After=cloud-init.service cloud-init-network.service", "/bin/sh"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TracingTarget:
    """Where a guest sends its spans.

    Attributes:
        endpoint: Base URL of an OTLP/HTTP collector; spans go to its /v1/traces.
        service_name: The spans' service.name: the tier's Service.
    """

    endpoint: str
    service_name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Guest:
    """The inputs that all guests have. None is one machine's own: its host name is in the metadata.

    Attributes:
        family: The distribution's family.
        site: What the environment asks of every guest.
    """

    family: Family
    site: Site = ANYWHERE


def user_data(
    guest: Guest,
    *,
    configure: str,
    packages: Iterable[str],
    files: Iterable[GuestFile],
    python: tuple[int, int] | None = OLDEST_PYTHON,
    faults: bool = True,
    exporters: Sequence[Exporter] = (),
    keys: Mapping[str, Any] | None = None,
) -> str:
    """Return a guest's user data.

    Args:
        guest: The guest.
        configure: The script below `files/` that starts its services, once the packages are installed.
        packages: The packages that it needs.
        files: Its files, besides those that every guest gets.
        python: The oldest Python that its programs run on; None without such programs.
        faults: Whether faults can be injected in it.
        exporters: The exporters that it runs.
        keys: More keys of the cloud-config.
    """
    family = guest.family
    unit = guest_file(
        f"common/{_CONFIGURE_UNIT}.j2",
        UNITS,
        commands=site_commands(guest.site, family),
        packages=[*FACTS[family].common_packages, *packages],
    )
    settings = shell_settings(CLUSTER_DOMAIN=guest.site.cluster_domain, PYTHON=".".join(map(str, python or ())))
    units = [_CONFIGURE_UNIT, *([FAULTS_UNIT] if faults else []), *([EXPORTERS_UNIT] if exporters else [])]
    start = [f"{PROGRAMS}/virtwork-start", *units]
    return archive(
        keys={**site_keys(guest.site), **(keys or {}), "bootcmd": [[*_EARLY, *start]]},
        files=[
            *site_files(guest.site, family),
            GuestFile(path=f"{SETTINGS}/guest.conf", content=settings),
            program("start", "common/start.sh"),
            program("pause", "common/pause.sh"),
            program("prepare", "common/prepare.sh"),
            program("install-packages", f"common/install-packages.{family}.sh"),
            program("restart-pauses", "common/restart-pauses.sh"),
            guest_file("common/restart-pauses.conf", SETTINGS),
            GuestFile(path="/etc/systemd/system.conf.d/virtwork.conf", content=source("common/watchdog.conf")),
            GuestFile(path="/etc/sysctl.d/virtwork.conf", content=source("common/panic.conf")),
            program("configure", configure),
            unit,
            *files,
            *exporter_files(family, *exporters, faults=faults),
        ],
        commands=[start],
    )
