"""The load generator: k6, and the agent that runs it by a load plan, which is not part of the user data."""

from dataclasses import dataclass

from cloudinit.api_access import ApiAccess, api_files
from cloudinit.constants import SETTINGS, UNITS
from cloudinit.families import FACTS, Exporter
from cloudinit.guest_files import GuestFile, guest_file, modules, program, unit_settings
from cloudinit.guests import Guest, TracingTarget, user_data


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadGuest:
    """The inputs of the load generator, which runs on a web guest or on one of its own.

    Attributes:
        target: Base URL of the web Service, without a trailing slash.
        api: An account that may read the load plan.
        plan: Name of the ConfigMap with the load plan.
        metrics: Whether it serves metrics.
        tracing: Where it sends spans; None: nowhere.
    """

    target: str
    api: ApiAccess
    plan: str
    metrics: bool = False
    tracing: TracingTarget | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadMachineGuest(Guest):
    """The inputs of the load generator's own guest."""

    load: LoadGuest


def load_files(guest: LoadGuest) -> list[GuestFile]:
    """Return the files that make a guest generate load."""
    settings = {"TARGET": guest.target, "CONFIG_MAP": guest.plan}
    if guest.metrics:
        settings |= {"METRICS": "1"}
    if guest.tracing:
        settings |= {"TRACING_ENDPOINT": guest.tracing.endpoint, "TRACING_SERVICE": guest.tracing.service_name}
    return [
        program("install-k6", "load/install-k6.sh"),
        *modules("load"),
        *modules("load/agent", metrics=guest.metrics, tracing=guest.tracing is not None),
        GuestFile(path=f"{SETTINGS}/load.env", content=unit_settings(**settings)),
        *api_files(guest.api, f"{SETTINGS}/load-api"),
        guest_file("load/virtwork-multi-tier-load.service", UNITS),
    ]


def render_load(guest: LoadMachineGuest) -> str:
    """Return the user data of the load generator's own guest; it contains the token that reads the load plan."""
    facts, metrics = FACTS[guest.family], guest.load.metrics
    return user_data(
        guest,
        configure="load/configure.sh",
        packages=[*facts.load_packages, *([facts.prometheus_client] if metrics else [])],
        files=load_files(guest.load),
        faults=False,
        exporters=[Exporter.NODE] if metrics else [],
    )
