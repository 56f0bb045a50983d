"""What differs between the two guest families: the only place that knows."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Family(StrEnum):
    """A family of guest distributions, by its package manager and layout."""

    DEBIAN = "debian"
    FEDORA = "fedora"


class Exporter(StrEnum):
    """An exporter of Prometheus metrics, by what it watches."""

    NODE = "node"
    NGINX = "nginx"
    POSTGRESQL = "postgres"


@dataclass(frozen=True, slots=True)
class ExporterProgram:
    """Where a distribution has an exporter."""

    package: str
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FamilyFacts:
    """Names and places that one family gives to the same things."""

    database_packages: tuple[str, ...]
    application_packages: tuple[str, ...]
    web_packages: tuple[str, ...]
    load_packages: tuple[str, ...]
    storage_packages: tuple[str, ...]
    """What measures a disk."""
    database_mount: str
    """Where the data disk is mounted; Fedora's SELinux policy labels this path for PostgreSQL by itself."""
    postgresql_drop_in: str
    """Directory of drop-ins for the unit that runs the server."""
    nginx_user: str
    trust_anchors: tuple[str, str]
    """Directory of the certificate authorities that an administrator adds, and the ending that their files need."""
    update_trust: str
    """Command that makes programs trust what is there."""
    exporters: Mapping[Exporter, ExporterProgram]
    """Those that the distribution packages."""
    prometheus_client: str
    """Package of the Python library by which the application counts."""


FACTS = {
    Family.DEBIAN: FamilyFacts(
        database_packages=("e2fsprogs", "postgresql", "postgresql-contrib"),
        application_packages=(
            "python3-uvicorn",
            "python3-starlette",
            "python3-asyncpg",
            "python3-uvloop",
            "python3-httptools",
        ),
        web_packages=("nginx-light", "curl", "ca-certificates", "logrotate", "python3"),
        load_packages=("curl", "ca-certificates", "python3"),
        storage_packages=("fio",),
        database_mount="/srv/database",
        postgresql_drop_in="/etc/systemd/system/postgresql@.service.d",
        nginx_user="www-data",
        trust_anchors=("/usr/local/share/ca-certificates", "crt"),
        update_trust="update-ca-certificates",
        exporters={
            Exporter.NODE: ExporterProgram("prometheus-node-exporter", "/usr/bin/prometheus-node-exporter"),
            Exporter.NGINX: ExporterProgram("prometheus-nginx-exporter", "/usr/bin/prometheus-nginx-exporter"),
            Exporter.POSTGRESQL: ExporterProgram(
                "prometheus-postgres-exporter", "/usr/bin/prometheus-postgres-exporter"
            ),
        },
        prometheus_client="python3-prometheus-client",
    ),
    Family.FEDORA: FamilyFacts(
        database_packages=("e2fsprogs", "postgresql-server", "postgresql-contrib", "policycoreutils"),
        # Without uvloop, which Fedora dropped after 42: uvicorn takes it where an image has it.
        application_packages=("python3-uvicorn", "python3-starlette", "python3-asyncpg", "python3-httptools"),
        web_packages=("nginx", "curl", "ca-certificates", "logrotate", "python3", "policycoreutils"),
        load_packages=("curl", "ca-certificates", "python3"),
        storage_packages=("fio",),
        database_mount="/var/lib/pgsql/data",
        postgresql_drop_in="/etc/systemd/system/postgresql.service.d",
        nginx_user="nginx",
        trust_anchors=("/etc/pki/ca-trust/source/anchors", "pem"),
        update_trust="update-ca-trust",
        # Neither Fedora nor EPEL has one for nginx or PostgreSQL.
        exporters={Exporter.NODE: ExporterProgram("node-exporter", "/usr/bin/node_exporter")},
        prometheus_client="python3-prometheus_client",
    ),
}


def packages(family: Family) -> tuple[str, ...]:
    """Every distribution package that a golden image of the family should hold, sorted."""
    facts = FACTS[family]
    tiers = {*facts.database_packages, *facts.application_packages, *facts.web_packages, *facts.load_packages}
    every = {*tiers, *facts.storage_packages, facts.prometheus_client}
    return tuple(sorted(every | {program.package for program in facts.exporters.values()}))


def has_exporter(family: Family, exporter: Exporter) -> bool:
    """Whether guests of the family can run an exporter: without one, there is no port to scrape."""
    return exporter in FACTS[family].exporters
