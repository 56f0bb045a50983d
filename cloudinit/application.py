"""The application guest: a JSON API that queries the database and reports how long each part took."""

from dataclasses import dataclass, field

from cloudinit.api_access import ApiAccess, api_files
from cloudinit.constants import APPLICATION_ACCOUNT, APPLICATION_METRICS_PORT, DATABASE_PORT, SETTINGS, UNITS
from cloudinit.families import FACTS, Exporter
from cloudinit.guest_files import SECRET, GuestFile, guest_file, modules, source, unit_settings
from cloudinit.guests import Guest, TracingTarget, check_password, user_data


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplicationGuest(Guest):
    """The inputs of the application guest.

    Attributes:
        password: The password of the database user.
        api: An account that may read the Secret with the password.
        database_host: Fully qualified name of the database Service.
        metrics: Whether it serves metrics.
        tracing: Where it sends spans; None: nowhere.
    """

    password: str = field(repr=False)
    api: ApiAccess
    database_host: str
    metrics: bool = False
    tracing: TracingTarget | None = None

    def __post_init__(self) -> None:
        check_password(self.password)


def render_application(guest: ApplicationGuest) -> str:
    """Return the user data of the application guest; it contains the password in clear text."""
    facts = FACTS[guest.family]
    settings = {"DATABASE_HOST": guest.database_host, "DATABASE_PORT": str(DATABASE_PORT)}
    if guest.metrics:
        settings |= {"METRICS_PORT": str(APPLICATION_METRICS_PORT)}
    if guest.tracing:
        settings |= {"TRACING_ENDPOINT": guest.tracing.endpoint, "TRACING_SERVICE": guest.tracing.service_name}
    return user_data(
        guest,
        configure="application/configure.sh",
        packages=[*facts.application_packages, *([facts.prometheus_client] if guest.metrics else [])],
        files=[
            *modules("application", metrics=guest.metrics, tracing=guest.tracing is not None),
            GuestFile(path=f"{SETTINGS}/application.env", content=unit_settings(**settings)),
            *api_files(guest.api, f"{SETTINGS}/api"),
            # The server strips the newline again, as on the database guest.
            GuestFile(path=f"{SETTINGS}/database-password", content=f"{guest.password}\n", mode=SECRET),
            GuestFile(
                path=f"/etc/sysusers.d/{APPLICATION_ACCOUNT}.conf", content=source("application/sysusers.conf.j2")
            ),
            guest_file("application/virtwork-app.service.j2", UNITS),
        ],
        exporters=[Exporter.NODE] if guest.metrics else [],
    )
