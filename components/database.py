"""The database tier: one PostgreSQL machine, and a disk that outlives it."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_kubernetes as kubernetes

from cloudinit import DatabaseGuest, render_database
from cloudinit.constants import DATABASE_METRICS_PORT, DATABASE_PORT
from cloudinit.families import Exporter
from components.names import TierName
from components.settings import disks, machines
from components.tier import Endpoint, Tier, TierArgs
from components.virtual_machine import DataVolumeDisk

DATA_DISK_SERIAL = "database"


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseArgs(TierArgs[machines.Database]):
    """What the database tier is given.

    Attributes:
        password: of the user that the application logs in as.
    """

    password: pulumi.Output[str]


class Database(Tier[machines.Database]):
    """PostgreSQL with a pgbench schema."""

    tier = TierName.DATABASE
    endpoint = Endpoint(
        DATABASE_PORT, "postgresql", {"tcpSocket": {"port": DATABASE_PORT}}, DATABASE_METRICS_PORT, Exporter.POSTGRESQL
    )

    def __init__(self, args: DatabaseArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(args, opts)
        hostname = self._names.machine(self.tier, 0)
        disk_name = self._names.data_disk

        def user_data(password: str) -> str:
            guest = DatabaseGuest(
                hostname=hostname,
                family=args.machine.family,
                password=password,
                scale=args.machine.scale,
                data_disk_serial=DATA_DISK_SERIAL,
                metrics=args.stack.metrics.enabled,
                fio_seconds=args.machine.fio.seconds,
                site=args.stack.site,
            )
            return render_database(guest)

        disk = self._data_volume(disk_name, args.machine.data_disk)
        self._machine(
            0,
            args.password.apply(user_data),
            DataVolumeDisk(data_volume=disk_name, serial=DATA_DISK_SERIAL),
            depends_on=[disk],
        )
        self._service()
        self.register_outputs({})

    def _data_volume(self, name: str, disk: disks.DataDisk) -> pulumi.Resource:
        """Declare the disk. It isn't awaited: storage that waits for its first consumer binds with the machine."""
        return kubernetes.apiextensions.CustomResource(
            "database-data",
            api_version="cdi.kubevirt.io/v1beta1",
            kind="DataVolume",
            # A claim of this name that is there already was restored, for instance from a snapshot.
            metadata=self._metadata(name, {"cdi.kubevirt.io/allowClaimAdoption": "true"}),
            spec={"source": {"blank": {}}, "storage": disk.storage},
            opts=pulumi.ResourceOptions(parent=self, retain_on_delete=disk.keep),
        )
