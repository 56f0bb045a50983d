"""The web guest: nginx in front of the application, and on one of them the load generator."""

from dataclasses import dataclass

from cloudinit.api_access import ApiAccess, api_files
from cloudinit.constants import APPLICATION_PORT, SETTINGS, UNITS
from cloudinit.families import FACTS, OLDEST_PYTHON, Exporter
from cloudinit.faults import FaultObjects, fault_files
from cloudinit.guest_files import GuestFile, guest_file, modules, program, shell_settings, source, unit_settings
from cloudinit.guests import Guest, TracingTarget, user_data
from cloudinit.load import LoadGuest, load_files


@dataclass(frozen=True, slots=True, kw_only=True)
class WebGuest(Guest):
    """The inputs of a web guest.

    Attributes:
        application_host: Fully qualified name of the application Service.
        api: An account that may read the plan of its faults.
        faults: The ConfigMaps of its faults.
        load: The load generator that runs on it; None: none.
        metrics: Whether it runs exporters.
        tracing: Where it sends spans; None: nowhere.
    """

    application_host: str
    api: ApiAccess
    faults: FaultObjects
    load: LoadGuest | None
    metrics: bool = False
    tracing: TracingTarget | None = None


def render_web(guest: WebGuest) -> str:
    """Return the user data of a web guest; with load, it contains the token that reads the load plan."""
    facts = FACTS[guest.family]
    upstream = shell_settings(APPLICATION_HOST=guest.application_host, APPLICATION_PORT=APPLICATION_PORT)
    metrics = [facts.prometheus_client] if guest.load and guest.load.metrics else []
    return user_data(
        guest,
        configure="web/configure.sh",
        packages=[*facts.web_packages, *facts.network_packages, *metrics],
        files=[
            program("upstream", "web/upstream.sh"),
            # Not the package's own path: package managers would ask which file to keep.
            guest_file(
                "web/nginx.conf.j2",
                SETTINGS,
                user=facts.nginx_user,
                application_host=guest.application_host,
                tracing=guest.tracing is not None,
            ),
            GuestFile(path=f"{UNITS}/nginx.service.d/virtwork.conf", content=source("web/nginx.service.conf.j2")),
            guest_file("web/upstream-unknown.conf.j2", SETTINGS),
            GuestFile(path=f"{SETTINGS}/upstream.settings", content=upstream),
            guest_file("web/virtwork-upstream.service.j2", UNITS),
            # The spans are read from nginx's log.
            guest_file(
                "common/virtwork-drain.service.j2", UNITS, services=["nginx.service", "virtwork-web-spans.service"]
            ),
            guest_file("web/logrotate.conf", SETTINGS),
            guest_file("web/virtwork-logrotate.service.j2", UNITS),
            guest_file("web/virtwork-logrotate.timer", UNITS),
            *api_files(guest.api, f"{SETTINGS}/api"),
            *fault_files(
                guest.faults,
                tier="web",
                service="nginx.service",
                target_port=APPLICATION_PORT,
            ),
            *(load_files(guest.load) if guest.load else []),
            *(_span_files(guest.tracing) if guest.tracing else []),
        ],
        python=OLDEST_PYTHON if guest.load or guest.tracing else None,
        exporters=[Exporter.NODE, Exporter.NGINX] if guest.metrics else [],
    )


def _span_files(target: TracingTarget) -> list[GuestFile]:
    """Return the files of the service that turns nginx's access log into spans."""
    settings = unit_settings(TRACING_ENDPOINT=target.endpoint, TRACING_SERVICE=target.service_name)
    return [
        *modules("web", tracing=True),
        GuestFile(path=f"{SETTINGS}/web-spans.env", content=settings),
        guest_file("web/virtwork-web-spans.service", UNITS),
    ]
