"""The application guest: a JSON API that asks the database and says how long each part took."""

from cloudinit.constants import APPLICATION_METRICS_PORT, DATABASE_PORT, SETTINGS, UNITS
from cloudinit.document import SECRET, GuestFile, cloud_config
from cloudinit.exporters import exporter_commands, exporter_files
from cloudinit.families import FACTS, Exporter
from cloudinit.guest_files import CONFIGURE, install_packages, modules, program
from cloudinit.guests import ApplicationGuest
from cloudinit.site import site_commands, site_files, site_keys
from cloudinit.templates import render, unit_settings


def render_application(guest: ApplicationGuest) -> str:
    """User data of the application guest; it holds the password in clear."""
    facts = FACTS[guest.family]
    settings = {"DATABASE_HOST": guest.database_host, "DATABASE_PORT": str(DATABASE_PORT)}
    if guest.metrics:
        settings |= {"METRICS_PORT": str(APPLICATION_METRICS_PORT)}
    if guest.tracing:
        settings |= {"TRACING_ENDPOINT": guest.tracing.endpoint, "TRACING_SERVICE": guest.tracing.service_name}
    return cloud_config(
        hostname=guest.hostname,
        keys=site_keys(guest.site),
        files=[
            *site_files(guest.site, guest.family),
            install_packages(guest.family),
            program("configure", "application/configure.sh"),
            *modules("application", metrics=guest.metrics, tracing=guest.tracing is not None),
            GuestFile(path=f"{SETTINGS}/application.env", content=unit_settings(**settings)),
            # Ends in the newline that the server takes off again, as on the database guest.
            GuestFile(path=f"{SETTINGS}/database-password", content=f"{guest.password}\n", mode=SECRET),
            GuestFile(path="/etc/sysusers.d/virtwork-app.conf", content=render("application/sysusers.conf.j2")),
            GuestFile(
                path=f"{UNITS}/virtwork-app.service",
                content=render("application/virtwork-app.service.j2"),
            ),
            *(exporter_files(guest.family, Exporter.NODE) if guest.metrics else []),
        ],
        commands=[
            *site_commands(guest.site, guest.family),
            [CONFIGURE, *facts.application_packages, *([facts.prometheus_client] if guest.metrics else [])],
            *(exporter_commands(guest.family, Exporter.NODE) if guest.metrics else []),
        ],
    )
