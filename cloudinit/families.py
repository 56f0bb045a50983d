"""What differs between the two guest families; no other module knows."""

import re
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
        common_packages: Packages of every guest.
        database_packages: Packages of the database guest.
        application_packages: Packages of the application guest.
        web_packages: Packages of the web guest.
        load_packages: Packages of the load generator's guest.
        network_packages: Packages for impairing a guest's network.
        storage_packages: Packages for benchmarking a disk.
        database_mount: Mount point of the data disk; on Fedora the path that SELinux's policy labels for PostgreSQL.
        postgresql_units: The server's unit, as systemctl finds it.
        postgresql_drop_in: Directory of drop-ins for the server's unit.
        nginx_user: The user that nginx runs as.
        trust_anchors: Directory for additional certificate authorities, and the suffix that their files need.
        update_trust: Command that makes programs trust them.
        exporters: The exporters that the distribution packages.
        prometheus_client: Package of Prometheus' Python client.
    """

    common_packages: tuple[str, ...]
    database_packages: tuple[str, ...]
    application_packages: tuple[str, ...]
    web_packages: tuple[str, ...]
    load_packages: tuple[str, ...]
    network_packages: tuple[str, ...]
    storage_packages: tuple[str, ...]
    database_mount: str
    postgresql_units: str
    postgresql_drop_in: str
    nginx_user: str
    trust_anchors: tuple[str, str]
    update_trust: str
    exporters: Mapping[Exporter, ExporterProgram]
    prometheus_client: str


FACTS = {
    Family.DEBIAN: FamilyFacts(
        common_packages=("qemu-guest-agent",),
        # postgresql depends on openssl.
        database_packages=("e2fsprogs", "postgresql", "postgresql-contrib", "python3"),
        application_packages=(
            "python3-uvicorn",
            "python3-starlette",
            "python3-asyncpg",
            "python3-uvloop",
            "python3-httptools",
        ),
        web_packages=("nginx-light", "curl", "ca-certificates", "logrotate", "python3"),
        load_packages=("curl", "ca-certificates", "python3"),
        network_packages=("iproute2", "nftables"),
        storage_packages=("fio",),
        database_mount="/srv/database",
        postgresql_units="postgresql@*.service",
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
        common_packages=("qemu-guest-agent",),
        database_packages=(
            "e2fsprogs",
            "openssl",
            "postgresql-server",
            "postgresql-contrib",
            "policycoreutils",
            "python3",
        ),
        # Without uvloop, which Fedora dropped after 42; uvicorn uses it if the image has it.
        application_packages=("python3-uvicorn", "python3-starlette", "python3-asyncpg", "python3-httptools"),
        web_packages=("nginx", "curl", "ca-certificates", "logrotate", "python3", "policycoreutils"),
        load_packages=("curl", "ca-certificates", "python3"),
        network_packages=("iproute-tc", "nftables"),
        storage_packages=("fio",),
        database_mount="/var/lib/pgsql/data",
        postgresql_units="postgresql.service",
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
    others = {*facts.common_packages, *facts.network_packages, *facts.storage_packages, facts.prometheus_client}
    return tuple(sorted(tiers | others | {program.package for program in facts.exporters.values()}))


def has_exporter(family: Family, exporter: Exporter) -> bool:
    """Return whether guests of the family can run an exporter; without it there is no port to scrape."""
    return exporter in FACTS[family].exporters


@dataclass(frozen=True, slots=True)
class Release:
    """What a release of a distribution contains.

    Attributes:
        postgresql: Major version of its default PostgreSQL, which reads no other version's data.
        python: Version of its default Python.
    """

    postgresql: int
    python: tuple[int, int]


# What the application, the load agent and nginx's span writer are written for.
OLDEST_PYTHON = (3, 11)
# The database guest's programs run on older distributions too, whose PostgreSQL may have made the data disk.
OLDEST_DATABASE_PYTHON = (3, 9)
# Debian and Ubuntu: their packages `postgresql` and `python3`. Fedora: packages.fedoraproject.org; its wiki's changes
# "PostgreSQL 16" (40) and "Python 3.13" (41). RHEL, CentOS Stream and the rebuilds: Red Hat, "Installing and using
# dynamic programming languages" (9), "Discover packaging of parallel database streams on RHEL 10".
RELEASES = {
    ("debian", "11"): Release(13, (3, 9)),
    ("debian", "12"): Release(15, (3, 11)),
    ("debian", "13"): Release(17, (3, 13)),
    ("ubuntu", "22.04"): Release(14, (3, 10)),
    ("ubuntu", "24.04"): Release(16, (3, 12)),
    ("ubuntu", "24.10"): Release(16, (3, 12)),
    ("ubuntu", "25.04"): Release(17, (3, 13)),
    ("fedora", "40"): Release(16, (3, 12)),
    ("fedora", "41"): Release(16, (3, 13)),
    ("fedora", "42"): Release(16, (3, 13)),
    ("fedora", "43"): Release(18, (3, 14)),
    ("fedora", "44"): Release(18, (3, 14)),
    ("rhel", "9"): Release(13, (3, 9)),
    ("rhel", "10"): Release(16, (3, 12)),
}
DISTRIBUTIONS = {
    Family.DEBIAN: ("debian", "ubuntu"),
    Family.FEDORA: ("fedora", "centos", "rhel", "almalinux", "rocky"),
}
_NAMES = "|".join(name for names in DISTRIBUTIONS.values() for name in names)
_VERSIONED = re.compile(rf"(?P<name>{_NAMES})[^0-9@]*(?P<major>[0-9]+)(?P<minor>\.[0-9]+)?", re.IGNORECASE)
_FLOATING = re.compile(rf"({_NAMES})(-stream|-cloud)?([:-]latest)?", re.IGNORECASE)


def release_of(image: str) -> Release | None:
    """Return what an image contains whose name says distribution and version; None for any other."""
    found = _VERSIONED.search(image)
    if found is None:
        return None
    name = found["name"].lower()
    if name == "ubuntu":
        return RELEASES.get((name, f"{found['major']}{found['minor'] or ''}"))
    return RELEASES.get((name if name in ("debian", "fedora") else "rhel", found["major"]))


def is_floating(image: str) -> bool:
    """Return whether an image's name means another release of its distribution over time."""
    return _FLOATING.fullmatch(image) is not None
