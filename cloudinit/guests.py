"""What all guests have in common: their inputs, and the parts of their user data."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cloudinit.constants import PROGRAMS, SETTINGS
from cloudinit.document import cloud_config
from cloudinit.exporters import exporter_commands, exporter_files
from cloudinit.families import Exporter, Family
from cloudinit.guest_files import GuestFile, guest_file, program
from cloudinit.site import ANYWHERE, Site, site_commands, site_files, site_keys


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
    """The inputs that all guests have.

    Attributes:
        hostname: The short host name.
        family: The distribution's family.
        site: What the environment asks of every guest.
    """

    hostname: str
    family: Family
    site: Site = ANYWHERE


def check_password(password: str) -> None:
    """Check the database password.

    Raises:
        ValueError: PostgreSQL can't have it. The message does not repeat it, because it may end up in a log.
    """
    if not password:
        raise ValueError("The database password is empty; PostgreSQL would refuse every login.")
    if "\0" in password:
        raise ValueError("The database password contains a NUL character, which PostgreSQL can't store.")


def user_data(
    guest: Guest,
    *,
    configure: str,
    packages: Iterable[str],
    files: Iterable[GuestFile],
    exporters: Sequence[Exporter] = (),
    commands: Iterable[Sequence[str]] = (),
    keys: Mapping[str, Any] | None = None,
) -> str:
    """Return a guest's user data.

    Args:
        guest: The guest.
        configure: Its first-boot script below `files/`, which gets the packages as arguments.
        packages: The packages that it needs.
        files: Its files, besides those that every guest gets.
        exporters: The exporters that it runs.
        commands: Commands to run at the end.
        keys: More keys of the cloud-config.
    """
    family = guest.family
    return cloud_config(
        hostname=guest.hostname,
        keys={**site_keys(guest.site), **(keys or {})},
        files=[
            *site_files(guest.site, family),
            program("install-packages", f"common/install-packages.{family}.sh"),
            program("restart-pauses", "common/restart-pauses.sh"),
            guest_file("common/restart-pauses.conf", SETTINGS),
            program("configure", configure),
            *files,
            *exporter_files(family, *exporters),
        ],
        commands=[
            *site_commands(guest.site, family),
            [f"{PROGRAMS}/virtwork-configure", *packages],
            *exporter_commands(family, *exporters),
            *commands,
        ],
    )
