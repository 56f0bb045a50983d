"""The load generator: k6 and the agent that runs it by a plan, which is no part of the guest's user data."""

from cloudinit.constants import SETTINGS, UNITS
from cloudinit.document import SECRET, GuestFile, cloud_config
from cloudinit.exporters import exporter_commands, exporter_files
from cloudinit.families import FACTS, Exporter
from cloudinit.guest_files import CONFIGURE, install_packages, modules, program
from cloudinit.guests import LoadGuest, LoadMachineGuest
from cloudinit.site import site_commands, site_files, site_keys
from cloudinit.templates import read, unit_settings

_UNIT = "virtwork-multi-tier-load.service"


def load_files(guest: LoadGuest) -> list[GuestFile]:
    """Return the files that make a guest generate load."""
    plan = guest.plan
    settings = {"TARGET": guest.target}
    settings |= {"CONFIG_MAP_URL": f"{plan.server}/api/v1/namespaces/{plan.namespace}/configmaps/{plan.config_map}"}
    if guest.metrics:
        settings |= {"METRICS": "1"}
    if guest.tracing:
        settings |= {"TRACING_ENDPOINT": guest.tracing.endpoint, "TRACING_SERVICE": guest.tracing.service_name}
    return [
        program("install-k6", "load/install-k6.sh"),
        *modules("load"),
        *modules("load/agent", metrics=guest.metrics, tracing=guest.tracing is not None),
        GuestFile(path=f"{SETTINGS}/load.env", content=unit_settings(**settings)),
        GuestFile(path=f"{SETTINGS}/load-plan.token", content=plan.token, mode=SECRET),
        GuestFile(path=f"{SETTINGS}/load-plan.ca", content=plan.certificate_authority, mode=SECRET),
        GuestFile(path=f"{UNITS}/{_UNIT}", content=read(f"load/{_UNIT}")),
    ]


def render_load(guest: LoadMachineGuest) -> str:
    """User data of the load generator's own guest; it holds the token that reads the load plan."""
    facts, load = FACTS[guest.family], guest.load
    return cloud_config(
        hostname=guest.hostname,
        keys=site_keys(guest.site),
        files=[
            *site_files(guest.site, guest.family),
            install_packages(guest.family),
            program("configure", "load/configure.sh"),
            *load_files(load),
            *(exporter_files(guest.family, Exporter.NODE) if load.metrics else []),
        ],
        commands=[
            *site_commands(guest.site, guest.family),
            [CONFIGURE, *facts.load_packages, *([facts.prometheus_client] if load.metrics else [])],
            *(exporter_commands(guest.family, Exporter.NODE) if load.metrics else []),
        ],
    )
