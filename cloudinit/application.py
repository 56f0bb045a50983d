"""The application guest: a JSON API that queries the database and reports how long each part took."""

from dataclasses import dataclass

from cloudinit.api_access import ApiAccess, api_files
from cloudinit.constants import APPLICATION_ACCOUNT, APPLICATION_METRICS_PORT, DATABASE_PORT, SETTINGS, UNITS
from cloudinit.families import FACTS, Exporter
from cloudinit.faults import FaultObjects, fault_files
from cloudinit.guest_files import GuestFile, guest_file, modules, source, unit_settings
from cloudinit.guests import Guest, TracingTarget, user_data

_CREDENTIALS = "/var/lib/virtwork-credentials"


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplicationGuest(Guest):
    """The inputs of the application guest.

    Attributes:
        api: An account that may read the Secret with the password, and the ConfigMap with the database's certificate.
        credentials: Name of that Secret.
        certificate: Name of that ConfigMap; None: connections to the database are not encrypted.
        faults: The ConfigMaps of its faults.
        database_host: Fully qualified name of the database Service.
        metrics: Whether it serves metrics.
        tracing: Where it sends spans; None: nowhere.
    """

    api: ApiAccess
    credentials: str
    certificate: str | None
    faults: FaultObjects
    database_host: str
    metrics: bool = False
    tracing: TracingTarget | None = None


def render_application(guest: ApplicationGuest) -> str:
    """Return the user data of the application guest; it contains the token of its account."""
    facts = FACTS[guest.family]
    settings = {
        "DATABASE_HOST": guest.database_host,
        "DATABASE_PORT": str(DATABASE_PORT),
        "DATABASE_PASSWORD": f"{_CREDENTIALS}/password",
    }
    credentials = {"SECRET": guest.credentials}
    if guest.certificate:
        settings |= {"DATABASE_CERTIFICATE": f"{_CREDENTIALS}/certificate"}
        credentials |= {"CONFIG_MAP": guest.certificate}
    if guest.metrics:
        settings |= {"METRICS_PORT": str(APPLICATION_METRICS_PORT)}
    if guest.tracing:
        settings |= {"TRACING_ENDPOINT": guest.tracing.endpoint, "TRACING_SERVICE": guest.tracing.service_name}
    metrics = [facts.prometheus_client] if guest.metrics else []
    return user_data(
        guest,
        configure="application/configure.sh",
        packages=[*facts.application_packages, *facts.network_packages, *metrics],
        files=[
            *modules("application", metrics=guest.metrics, tracing=guest.tracing is not None),
            GuestFile(path=f"{SETTINGS}/application.env", content=unit_settings(**settings)),
            *api_files(guest.api, f"{SETTINGS}/api"),
            GuestFile(path=f"{SETTINGS}/credentials.env", content=unit_settings(**credentials)),
            guest_file("application/virtwork-credentials.service", UNITS),
            *fault_files(
                guest.faults,
                tier="application",
                service="virtwork-app.service",
                target_port=DATABASE_PORT,
            ),
            GuestFile(
                path=f"/etc/sysusers.d/{APPLICATION_ACCOUNT}.conf", content=source("application/sysusers.conf.j2")
            ),
            guest_file("application/virtwork-app.service.j2", UNITS),
            guest_file(
                "common/virtwork-drain.service.j2",
                UNITS,
                services=["virtwork-app.service"],
            ),
        ],
        exporters=[Exporter.NODE] if guest.metrics else [],
    )
