"""The database tier: one PostgreSQL machine, and a data disk that outlives it."""

from __future__ import annotations

from typing import Any

import pulumi
import pulumi_kubernetes as kubernetes

from cloudinit import DatabaseGuest, render_database
from cloudinit.constants import DATABASE_METRICS_PORT, DATABASE_PORT
from cloudinit.families import Exporter
from components import data_disk
from components.api_access import Right
from components.disks import storage
from components.guests import site
from components.names import TierName
from components.settings import Settings
from components.settings.disks import DataDisk
from components.settings.values import bytes_of
from components.tier import NOT_AWAITED, Endpoint, Tier
from components.virtual_machine import DataVolumeDisk

DATA_DISK_SERIAL = "database"


class Database(Tier):
    """PostgreSQL with a pgbench schema."""

    tier = TierName.DATABASE
    endpoint = Endpoint(
        port=DATABASE_PORT,
        port_name="postgresql",
        readiness={"tcpSocket": {"port": DATABASE_PORT}},
        metrics_port=DATABASE_METRICS_PORT,
        exporter=Exporter.POSTGRESQL,
        clients=TierName.APPLICATION,
    )

    def __init__(
        self, settings: Settings, password: pulumi.Output[str], opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(settings, settings.database, opts)

        machine = settings.database

        api = self._api_access(Right("secrets", self._names.credentials))

        def user_data(values: list[Any]) -> str:
            password, api = values
            guest = DatabaseGuest(
                hostname=self._names.machine(self.tier, 0),
                family=settings.database.family,
                password=password,
                api=api,
                scale=settings.database.scale,
                data_disk_serial=DATA_DISK_SERIAL,
                memory_mib=None if machine.instancetype else bytes_of(machine.dimensions.memory) >> 20,
                metrics=settings.metrics.enabled,
                fio_seconds=settings.database.fio.seconds,
                allow_data_loss=settings.database.allow_data_loss,
                site=site(settings),
            )
            return render_database(guest)

        name = self._names.data_disk
        disk = self._data_volume(name, settings.database.data_disk)
        attached = DataVolumeDisk(data_volume=name, serial=DATA_DISK_SERIAL)
        self._machine(0, pulumi.Output.all(password, api).apply(user_data), attached, depends_on=[disk])
        self._service()
        self.register_outputs({})

    def _data_volume(self, name: str, disk: DataDisk) -> pulumi.Resource:
        """Declare the disk. It isn't awaited: storage with WaitForFirstConsumer binds it when the machine starts.

        The provider wouldn't await it anyway, unless PULUMI_K8S_AWAIT_ALL is set.
        """
        # Adopts an existing claim of this name, for example one restored from a snapshot.
        adopting = {"cdi.kubevirt.io/allowClaimAdoption": "true"}
        return kubernetes.apiextensions.CustomResource(
            "database-data",
            api_version="cdi.kubevirt.io/v1beta1",
            kind="DataVolume",
            metadata=self._metadata(name, {**adopting, **NOT_AWAITED, **data_disk.contents(self._settings.database)}),
            spec={"source": {"blank": {}}, "storage": storage(disk)},
            opts=pulumi.ResourceOptions(parent=self, retain_on_delete=disk.keep, hooks=data_disk.hooks(self._settings)),
        )
