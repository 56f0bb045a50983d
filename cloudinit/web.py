"""The web guest: nginx before the application, and on one of them the load generator."""

from cloudinit.constants import APPLICATION_PORT, SETTINGS, UNITS
from cloudinit.document import GuestFile, cloud_config
from cloudinit.exporters import exporter_commands, exporter_files
from cloudinit.families import FACTS, Exporter
from cloudinit.guest_files import CONFIGURE, install_packages, modules, program
from cloudinit.guests import TracingTarget, WebGuest
from cloudinit.load import load_files
from cloudinit.site import site_commands, site_files, site_keys
from cloudinit.templates import read, render, shell_settings, unit_settings

_SPANS_UNIT = "virtwork-web-spans.service"
_EXPORTERS = (Exporter.NODE, Exporter.NGINX)


def render_web(guest: WebGuest) -> str:
    """User data of a web guest; with load, it holds the token that reads the load plan."""
    facts = FACTS[guest.family]
    return cloud_config(
        hostname=guest.hostname,
        keys=site_keys(guest.site),
        files=[
            *site_files(guest.site, guest.family),
            install_packages(guest.family),
            program("configure", "web/configure.sh"),
            program("upstream", "web/upstream.sh"),
            # Not where nginx's package wants to put its own: both package managers would ask what to do.
            GuestFile(
                path=f"{SETTINGS}/nginx.conf",
                content=render("web/nginx.conf.j2", user=facts.nginx_user, tracing=guest.tracing is not None),
            ),
            GuestFile(path=f"{UNITS}/nginx.service.d/virtwork.conf", content=read("web/nginx.service.conf")),
            GuestFile(path=f"{SETTINGS}/upstream-unknown.conf", content=render("web/upstream-unknown.conf.j2")),
            GuestFile(
                path=f"{SETTINGS}/upstream.settings",
                content=shell_settings(APPLICATION_HOST=guest.application_host, APPLICATION_PORT=APPLICATION_PORT),
            ),
            GuestFile(
                path=f"{UNITS}/virtwork-upstream.service",
                content=read("web/virtwork-upstream.service"),
            ),
            GuestFile(path=f"{SETTINGS}/logrotate.conf", content=read("web/logrotate.conf")),
            GuestFile(
                path=f"{UNITS}/virtwork-logrotate.service",
                content=read("web/virtwork-logrotate.service"),
            ),
            GuestFile(
                path=f"{UNITS}/virtwork-logrotate.timer",
                content=read("web/virtwork-logrotate.timer"),
            ),
            *(load_files(guest.load) if guest.load else []),
            *(exporter_files(guest.family, *_EXPORTERS) if guest.metrics else []),
            *(_span_files(guest.tracing) if guest.tracing else []),
        ],
        commands=[
            *site_commands(guest.site, guest.family),
            [
                CONFIGURE,
                *facts.web_packages,
                *([facts.prometheus_client] if guest.load and guest.load.metrics else []),
            ],
            *(exporter_commands(guest.family, *_EXPORTERS) if guest.metrics else []),
            *([["systemctl", "enable", "--now", _SPANS_UNIT]] if guest.tracing else []),
        ],
    )


def _span_files(target: TracingTarget) -> list[GuestFile]:
    """What makes spans of nginx's access log."""
    settings = unit_settings(TRACING_ENDPOINT=target.endpoint, TRACING_SERVICE=target.service_name)
    return [
        *modules("web", tracing=True),
        GuestFile(path=f"{SETTINGS}/web-spans.env", content=settings),
        GuestFile(path=f"{UNITS}/{_SPANS_UNIT}", content=read(f"web/{_SPANS_UNIT}")),
    ]
