"""What each guest needs to know: the inputs of the renderers."""

from dataclasses import dataclass, field

from cloudinit.families import Family
from cloudinit.site import ANYWHERE, Site


def _check_password(password: str) -> None:
    # The message must not repeat the value: it may end in a log.
    if not password:
        raise ValueError("The database password is empty; PostgreSQL would refuse every login.")
    if "\0" in password:
        raise ValueError("The database password holds a NUL character, which PostgreSQL cannot store.")


@dataclass(frozen=True, slots=True, kw_only=True)
class TracingTarget:
    """Where a guest sends its spans."""

    endpoint: str
    """Base URL of an OTLP/HTTP collector; spans go to its /v1/traces."""
    service_name: str
    """What the guest's spans are said to be of: its tier's Service."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseGuest:
    """The PostgreSQL machine."""

    hostname: str
    family: Family
    password: str = field(repr=False)
    scale: int
    """pgbench scale: 100,000 accounts (about 15 MB) each."""
    data_disk_serial: str
    """The disk's virtio serial, seen in the guest as /dev/disk/by-id/virtio-<serial>."""
    metrics: bool = False
    """Whether it runs exporters for Prometheus."""
    fio_seconds: int = 0
    """How long each of fio's three jobs measures the data disk before PostgreSQL first starts; 0: not at all."""
    site: Site = ANYWHERE

    def __post_init__(self) -> None:
        _check_password(self.password)


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplicationGuest:
    """The JSON API machine."""

    hostname: str
    family: Family
    password: str = field(repr=False)
    database_host: str
    """Full name of the database Service."""
    metrics: bool = False
    tracing: TracingTarget | None = None
    site: Site = ANYWHERE

    def __post_init__(self) -> None:
        _check_password(self.password)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadPlanSource:
    """Where a guest reads the load plan, and with which credentials."""

    namespace: str
    config_map: str
    token: str = field(repr=False)
    """Bearer token of a service account that may read this one ConfigMap."""
    certificate_authority: str
    """PEM of the API server's certificate authority."""
    server: str = "https://kubernetes.default.svc.cluster.local"


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadGuest:
    """The load generator, which lives on a web machine or on one of its own."""

    target: str
    """Base URL of the web Service, without a trailing slash."""
    plan: LoadPlanSource
    metrics: bool = False
    tracing: TracingTarget | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadMachineGuest:
    """The load generator's own machine."""

    hostname: str
    family: Family
    load: LoadGuest
    site: Site = ANYWHERE


@dataclass(frozen=True, slots=True, kw_only=True)
class WebGuest:
    """The nginx machine, with or without the load generator."""

    hostname: str
    family: Family
    application_host: str
    """Full name of the application Service."""
    load: LoadGuest | None
    metrics: bool = False
    tracing: TracingTarget | None = None
    site: Site = ANYWHERE
