"""The database guest: PostgreSQL on a disk of its own, holding the pgbench tables."""

from cloudinit.constants import LIBRARY, SETTINGS, UNITS
from cloudinit.document import SECRET, GuestFile, cloud_config
from cloudinit.exporters import exporter_commands, exporter_files
from cloudinit.families import FACTS, Exporter, Family, has_exporter
from cloudinit.guest_files import CONFIGURE, install_packages, program
from cloudinit.guests import DatabaseGuest
from cloudinit.site import site_commands, site_files, site_keys
from cloudinit.templates import read, render, shell_settings

_LABEL = "virtwork-data"  # at most 16 bytes on ext4
_EXPORTERS = (Exporter.NODE, Exporter.POSTGRESQL)


def render_database(guest: DatabaseGuest) -> str:
    """User data of the database guest; it holds the password in clear."""
    facts = FACTS[guest.family]
    device = f"/dev/disk/by-id/virtio-{guest.data_disk_serial}"
    cluster = f"{facts.database_mount}/cluster"  # not the mount itself: ext4 has a lost+found there
    watched = guest.metrics and has_exporter(guest.family, Exporter.POSTGRESQL)
    return cloud_config(
        hostname=guest.hostname,
        keys={
            **site_keys(guest.site),
            "fs_setup": [
                {
                    "label": _LABEL,
                    "filesystem": "ext4",
                    "device": device,
                    "overwrite": False,
                    # cloud-init trusts lsblk, which may answer from a stale cache; this asks the disk itself, and
                    # makes a filesystem only where there is positively nothing (status 2).
                    "cmd": "blkid --probe %(device)s || test $? -ne 2 || "
                    "mkfs.%(filesystem)s -q -L %(label)s %(device)s",
                }
            ],
            "mounts": [
                [device, facts.database_mount, "ext4", "defaults,noatime,nofail,x-systemd.device-timeout=30s", "0", "2"]
            ],
        },
        files=[
            *site_files(guest.site, guest.family),
            install_packages(guest.family),
            program("configure", "database/configure.sh"),
            program("database-setup", "database/setup.sh.j2"),
            GuestFile(path=f"{LIBRARY}/cluster.sh", content=_cluster(guest.family)),
            GuestFile(
                path=f"{SETTINGS}/database.conf",
                content=shell_settings(
                    DEVICE=device,
                    MOUNT=facts.database_mount,
                    CLUSTER=cluster,
                    SCALE=guest.scale,
                    **({"FIO_SECONDS": guest.fio_seconds} if guest.fio_seconds else {}),
                ),
            ),
            # The newline is the one that psql's backquotes take off again, so that any other one is kept.
            GuestFile(path=f"{SETTINGS}/database-password", content=f"{guest.password}\n", mode=SECRET),
            GuestFile(path=f"{SETTINGS}/role.sql", content=render("database/role.sql.j2", watched=watched)),
            GuestFile(path=f"{SETTINGS}/seeded-scale.sql", content=read("database/seeded-scale.sql")),
            GuestFile(path=f"{SETTINGS}/storage-table.sql", content=render("database/storage-table.sql.j2")),
            *(_figures_files() if guest.fio_seconds else []),
            GuestFile(path=f"{SETTINGS}/postgresql.conf", content=render("database/postgresql.conf.j2")),
            GuestFile(path=f"{SETTINGS}/pg_hba.conf", content=render("database/pg_hba.conf.j2", watched=watched)),
            GuestFile(
                path=f"{UNITS}/virtwork-database-setup.service",
                content=read("database/virtwork-database-setup.service"),
            ),
            GuestFile(
                path=f"{facts.postgresql_drop_in}/virtwork.conf",
                content=render(
                    "database/postgresql.service.conf.j2",
                    mount=facts.database_mount,
                    cluster=cluster if guest.family is Family.FEDORA else None,
                ),
            ),
            *_debian_files(guest.family),
            *(_metrics_files(guest, watched=watched) if guest.metrics else []),
        ],
        commands=[
            *site_commands(guest.site, guest.family),
            [CONFIGURE, *facts.database_packages, *(facts.storage_packages if guest.fio_seconds else ())],
            *(exporter_commands(guest.family, *_EXPORTERS) if guest.metrics else []),
        ],
    )


def _cluster(family: Family) -> str:
    return render("database/cluster.debian.sh.j2") if family is Family.DEBIAN else read("database/cluster.fedora.sh")


def _figures_files() -> list[GuestFile]:
    """What measures the data disk."""
    return [
        program("storage-figures", "database/storage-figures.sh.j2"),
        GuestFile(path=f"{SETTINGS}/storage.fio", content=read("database/storage.fio")),
        GuestFile(path=f"{SETTINGS}/store-figures.sql", content=render("database/store-figures.sql.j2")),
    ]


def _debian_files(family: Family) -> list[GuestFile]:
    if family is not Family.DEBIAN:
        return []
    path = "/etc/postgresql-common/createcluster.conf"
    return [GuestFile(path=path, content=read("database/createcluster.conf"))]


def _metrics_files(guest: DatabaseGuest, *, watched: bool) -> list[GuestFile]:
    user = GuestFile(path="/etc/sysusers.d/virtwork-metrics.conf", content=render("database/metrics.sysusers.conf.j2"))
    return [*([user] if watched else []), *exporter_files(guest.family, *_EXPORTERS)]
