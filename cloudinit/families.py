"""What differs between the two guest families; no other module knows."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Family(StrEnum):
    """A family of guest distributions, by its package manager and layout."""

    DEBIAN = "debian"
    FEDORA = "fedora"


class Exporter(StrEnum):
    """A Prometheus exporter, by what it monitors."""

    NODE = "node"
    NGINX = "nginx"
    POSTGRESQL = "postgres"


@dataclass(frozen=True, slots=True)
class ExporterProgram:
    """A distribution's package of an exporter, and the program's path."""

    package: str
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FamilyFacts:
    """Names and paths in one family.

    Attributes:
        database_packages: Packages of the database guest.
        application_packages: Packages of the application guest.
        web_packages: Packages of the web guest.
        load_packages: Packages of the load generator's guest.
        storage_packages: Packages for benchmarking a disk.
        database_mount: Mount point of the data disk; on Fedora the path that SELinux's policy labels for PostgreSQL.
        postgresql_drop_in: Directory of drop-ins for the server's unit.
        nginx_user: The user that nginx runs as.
        trust_anchors: Directory for additional certificate authorities, and the suffix that their files need.
        update_trust: Command that makes programs trust them.
        exporters: The exporters that the distribution packages.
        prometheus_client: Package of Prometheus' Python client.
    """

    database_packages: tuple[str, ...]
    application_packages: tuple[str, ...]
    web_packages: tuple[str, ...]
    load_packages: tuple[str, ...]
    storage_packages: tuple[str, ...]
    database_mount: str
    postgresql_drop_in: str
    nginx_user: str
    trust_anchors: tuple[str, str]
    update_trust: str
    exporters: Mapping[Exporter, ExporterProgram]
    prometheus_client: str


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
        # Without uvloop, which Fedora dropped after 42; uvicorn uses it if the image has it.
        application_packages=("python3-uvicorn", "python3-starlette", "python3-asyncpg", "python3-httptools"),
        web_packages=("nginx", "curl", "ca-certificates", "logrotate", "python3", "policycoreutils"),
        load_packages=("curl", "ca-certificates", "python3"),
        storage_packages=("fio",),
        database_mount="/var/lib/pgsql/data",
        postgresql_drop_in="/etc/systemd/system/postgresql.service.d",
        nginx_user="nginx",
        trust_anchors=("/etc/pki/ca-trust/source/anchors", "pem"),
        update_trust="update-ca-trust",
        # Neither Fedora nor EPEL packages one for nginx or PostgreSQL.
        exporters={Exporter.NODE: ExporterProgram("node-exporter", "/usr/bin/node_exporter")},
        prometheus_client="python3-prometheus_client",
    ),
}


def packages(family: Family) -> tuple[str, ...]:
    """Return every package that a golden image of the family should have, sorted."""
    facts = FACTS[family]
    tiers = {*facts.database_packages, *facts.application_packages, *facts.web_packages, *facts.load_packages}
    every = {*tiers, *facts.storage_packages, facts.prometheus_client}
    return tuple(sorted(every | {program.package for program in facts.exporters.values()}))


def has_exporter(family: Family, exporter: Exporter) -> bool:
    """Return whether guests of the family can run an exporter; without it there is no port to scrape."""
    return exporter in FACTS[family].exporters
