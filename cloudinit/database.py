"""The database guest: PostgreSQL on a disk of its own, with the pgbench tables."""

from dataclasses import dataclass

from cloudinit.api_access import ApiAccess, api_files
from cloudinit.constants import LIBRARY, METRICS_ACCOUNT, PROGRAMS, SETTINGS, UNITS
from cloudinit.families import FACTS, OLDEST_DATABASE_PYTHON, Exporter, Family, has_exporter
from cloudinit.faults import FaultObjects, fault_files
from cloudinit.guest_files import GuestFile, guest_file, modules, program, shell_settings, source, unit_settings
from cloudinit.guests import Guest, user_data

_LABEL = "virtwork-data"  # at most 16 bytes on ext4
_CLUSTER_SCRIPTS = {Family.DEBIAN: "database/cluster.debian.sh.j2", Family.FEDORA: "database/cluster.fedora.sh"}


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseGuest(Guest):
    """The inputs of the database guest.

    Attributes:
        api: An account that may read the Secret with the password, and change the ConfigMap with the certificate.
        credentials: Name of that Secret.
        certificate: Name of that ConfigMap; None: connections are not encrypted.
        hosts: Names of its Service, the one that clients use first.
        faults: The ConfigMaps of its faults.
        scale: pgbench scale: 100,000 accounts (about 15 MB) each.
        data_disk_serial: The disk's virtio serial, in the guest /dev/disk/by-id/virtio-<serial>.
        memory_mib: Its memory in MiB; None if an instancetype determines it.
        metrics: Whether it runs exporters.
        fio_seconds: How long each of fio's three jobs benchmarks the data disk before PostgreSQL first starts;
            0: no benchmark.
        allow_data_loss: Whether the setup may recreate tables of another scale, with all balances and the history lost.
    """

    api: ApiAccess
    credentials: str
    certificate: str | None
    hosts: tuple[str, ...]
    faults: FaultObjects
    scale: int
    data_disk_serial: str
    memory_mib: int | None = None
    metrics: bool = False
    fio_seconds: int = 0
    allow_data_loss: bool = False


def render_database(guest: DatabaseGuest) -> str:
    """Return the user data of the database guest; it contains the token of its account."""
    facts = FACTS[guest.family]
    device = f"/dev/disk/by-id/virtio-{guest.data_disk_serial}"
    # With nofail, nothing else waits for the disk. It may take minutes to appear, or to replay its journal.
    options = "defaults,noatime,nofail,x-systemd.device-timeout=infinity,x-systemd.mount-timeout=infinity"
    mount = [device, facts.database_mount, "ext4", options, "0", "2"]
    return user_data(
        guest,
        configure="database/configure.sh",
        python=OLDEST_DATABASE_PYTHON,
        packages=[*facts.database_packages, *(facts.storage_packages if guest.fio_seconds else ())],
        keys={"fs_setup": [_filesystem(device)], "mounts": [mount]},
        files=_files(guest, device),
        exporters=[Exporter.NODE, Exporter.POSTGRESQL] if guest.metrics else [],
    )


def _filesystem(device: str) -> dict[str, object]:
    # cloud-init trusts lsblk, which may answer from a stale cache. Our script asks the disk itself.
    command = f"{PROGRAMS}/virtwork-format-disk %(device)s %(label)s"
    return {"label": _LABEL, "filesystem": "ext4", "device": device, "overwrite": False, "cmd": command}


def _files(guest: DatabaseGuest, device: str) -> list[GuestFile]:
    facts = FACTS[guest.family]
    cluster = f"{facts.database_mount}/cluster"  # not the mount point itself, which has ext4's lost+found
    monitored = guest.metrics and has_exporter(guest.family, Exporter.POSTGRESQL)
    settings: dict[str, str | int] = {
        "DEVICE": device,
        "MOUNT": facts.database_mount,
        "CLUSTER": cluster,
        "SCALE": guest.scale,
    }
    if guest.memory_mib:
        settings["MEMORY"] = guest.memory_mib
    if guest.fio_seconds:
        settings["FIO_SECONDS"] = guest.fio_seconds
    if guest.allow_data_loss:
        settings["ALLOW_DATA_LOSS"] = 1
    credentials = {"SECRET": guest.credentials}
    tls = f"{facts.database_mount}/tls"
    if guest.certificate:
        settings["HOSTS"] = " ".join(guest.hosts)
        credentials |= {"CONFIG_MAP": guest.certificate, "CERTIFICATE": f"{tls}/server.crt"}
    files = [
        program("format-disk", "database/format-disk.sh"),
        program("database-setup", "database/setup.sh.j2"),
        program("size-server", "database/size-server.sh"),
        GuestFile(path=f"{LIBRARY}/cluster.sh", content=source(_CLUSTER_SCRIPTS[guest.family])),
        GuestFile(path=f"{SETTINGS}/database.conf", content=shell_settings(**settings)),
        *api_files(guest.api, f"{SETTINGS}/api"),
        GuestFile(path=f"{SETTINGS}/credentials.env", content=unit_settings(**credentials)),
        *modules("database"),
        guest_file("database/virtwork-credentials.service", UNITS),
        *fault_files(
            guest.faults,
            tier="database",
            service=facts.postgresql_units,
            data_disk=facts.database_mount,
        ),
        guest_file("database/role.sql.j2", SETTINGS, monitored=monitored),
        guest_file("database/seeded-scale.sql", SETTINGS),
        guest_file("database/storage-table.sql.j2", SETTINGS),
        guest_file("database/postgresql.conf.j2", SETTINGS, certificate=tls if guest.certificate else None),
        guest_file("database/pg_hba.conf.j2", SETTINGS, monitored=monitored, tls=guest.certificate is not None),
        guest_file("database/virtwork-database-setup.service.j2", UNITS),
        GuestFile(
            path=f"{facts.postgresql_drop_in}/virtwork.conf",
            content=source(
                "database/postgresql.service.conf.j2",
                mount=facts.database_mount,
                cluster=cluster if guest.family is Family.FEDORA else None,
            ),
        ),
    ]
    if guest.certificate:
        files.append(program("database-certificate", "database/certificate.sh"))
    if guest.family is Family.DEBIAN:
        files.append(guest_file("database/createcluster.conf", "/etc/postgresql-common"))
    if guest.fio_seconds:
        files += [
            program("storage-figures", "database/storage-figures.sh.j2"),
            guest_file("database/storage.fio", SETTINGS),
            guest_file("database/store-figures.sql.j2", SETTINGS),
        ]
    if monitored:
        sysusers = source("database/metrics.sysusers.conf.j2")
        files.append(GuestFile(path=f"/etc/sysusers.d/{METRICS_ACCOUNT}.conf", content=sysusers))
    return files
