"""The load generator: k6 and the agent that runs it by a plan, which is no part of the guest's user data."""

from cloudinit.constants import LIBRARY, SETTINGS, UNITS
from cloudinit.document import SECRET, GuestFile, cloud_config
from cloudinit.exporters import exporter_commands, exporter_files
from cloudinit.families import FACTS, Exporter
from cloudinit.guest_files import CONFIGURE, install_packages, library, program
from cloudinit.guests import LoadGuest, LoadMachineGuest
from cloudinit.site import site_commands, site_files, site_keys
from cloudinit.templates import read, unit_settings

# The same layout as here, so that the modules find each other in both places.
_MODULES: tuple[str, ...] = (
    "constants.py",
    "load_plan.py",
    "sample_columns.py",
    "requests.js",
    "arrivals.js",
    "choices.js",
    "agent/__init__.py",
    "agent/__main__.py",
    "agent/chain.py",
    "agent/conductor.py",
    "agent/config_map.py",
    "agent/generator.py",
    "agent/plans.py",
    "agent/run.py",
    "agent/sample.py",
    "agent/sample_log.py",
    "agent/service.py",
)
_UNIT = "virtwork-multi-tier-load.service"


def load_files(guest: LoadGuest) -> list[GuestFile]:
    """What a guest needs besides its own files to generate load; with tracing, besides otlp.py too."""
    plan = guest.plan
    modules, settings = _MODULES, {"TARGET": guest.target}
    settings |= {"CONFIG_MAP_URL": f"{plan.server}/api/v1/namespaces/{plan.namespace}/configmaps/{plan.config_map}"}
    if guest.metrics:
        modules += ("agent/metrics.py",)
        settings |= {"METRICS": "1"}
    if guest.tracing:
        modules += ("agent/spans.py",)
        settings |= {"TRACING_ENDPOINT": guest.tracing.endpoint, "TRACING_SERVICE": guest.tracing.service_name}
    return [
        program("install-k6", "load/install-k6.sh"),
        GuestFile(path=f"{LIBRARY}/load/__init__.py", content=""),
        *(library(f"load/{module}", f"load/{module}") for module in modules),
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
            *([library("otlp.py", "common/otlp.py")] if load.tracing else []),
            *(exporter_files(guest.family, Exporter.NODE) if load.metrics else []),
        ],
        commands=[
            *site_commands(guest.site, guest.family),
            [CONFIGURE, *facts.load_packages, *([facts.prometheus_client] if load.metrics else [])],
            *(exporter_commands(guest.family, Exporter.NODE) if load.metrics else []),
        ],
    )
