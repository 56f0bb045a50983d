"""What differs between the two guest families: the only place that knows."""

from dataclasses import dataclass
from enum import StrEnum


class Family(StrEnum):
    """A family of guest distributions, by its package manager and layout."""

    DEBIAN = "debian"
    FEDORA = "fedora"


@dataclass(frozen=True, slots=True, kw_only=True)
class FamilyFacts:
    """Names and places that one family gives to the same things."""

    database_packages: tuple[str, ...]
    application_packages: tuple[str, ...]
    web_packages: tuple[str, ...]
    database_mount: str
    """Where the data disk is mounted; Fedora's SELinux policy labels this path for PostgreSQL by itself."""
    postgresql_drop_in: str
    """Directory of drop-ins for the unit that runs the server."""
    nginx_user: str


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
        database_mount="/srv/database",
        postgresql_drop_in="/etc/systemd/system/postgresql@.service.d",
        nginx_user="www-data",
    ),
    Family.FEDORA: FamilyFacts(
        database_packages=("e2fsprogs", "postgresql-server", "postgresql-contrib", "policycoreutils"),
        application_packages=(
            "python3-uvicorn",
            "python3-starlette",
            "python3-asyncpg",
            "python3-uvloop",
            "python3-httptools",
        ),
        web_packages=("nginx", "curl", "ca-certificates", "logrotate", "python3", "policycoreutils"),
        database_mount="/var/lib/pgsql/data",
        postgresql_drop_in="/etc/systemd/system/postgresql.service.d",
        nginx_user="nginx",
    ),
}


def packages(family: Family) -> tuple[str, ...]:
    """Every distribution package that a golden image of the family should hold, sorted."""
    facts = FACTS[family]
    every = {*facts.database_packages, *facts.application_packages, *facts.web_packages}
    return tuple(sorted(every))
