"""The database tier: one PostgreSQL machine, and a data disk that outlives it."""

from __future__ import annotations

from collections.abc import Sequence

import pulumi
import pulumi_kubernetes as kubernetes

from cloudinit import ApiAccess, DatabaseGuest, render_database
from cloudinit.constants import DATABASE_METRICS_PORT, DATABASE_PORT
from cloudinit.families import Exporter
from components import data_disk
from components.api_access import READ, Right
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
        self, settings: Settings, behind: Sequence[pulumi.Resource], opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(settings, settings.database, behind, opts)

        machine, names = settings.database, self._names
        rights = [Right("secrets", names.credentials)]
        before: list[pulumi.Resource] = []
        if machine.tls.enabled:
            rights.append(Right("configmaps", names.certificate, (*READ, "patch")))
            before.append(self._certificate())

        def user_data(api: ApiAccess) -> str:
            guest = DatabaseGuest(
                family=settings.database.family,
                api=api,
                credentials=names.credentials,
                certificate=names.certificate if machine.tls.enabled else None,
                hosts=names.service_names(self.tier),
                faults=self._faults,
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
        before.append(self._data_volume(name, settings.database.data_disk))
        attached = DataVolumeDisk(data_volume=name, serial=DATA_DISK_SERIAL)
        shared = self._user_data(self._api_access(*rights).apply(user_data))
        self._machine(0, shared, attached, depends_on=before)
        self._service()
        self.register_outputs({})

    def _certificate(self) -> pulumi.Resource:
        """Declare the ConfigMap in which the guest publishes its certificate."""
        return kubernetes.core.v1.ConfigMap(
            self._names.resource("database-certificate"),
            metadata=self._metadata(self._names.certificate),
            opts=pulumi.ResourceOptions(parent=self, ignore_changes=["data"]),
        )

    def _data_volume(self, name: str, disk: DataDisk) -> pulumi.Resource:
        """Declare the disk. It isn't awaited: storage with WaitForFirstConsumer binds it when the machine starts.

        The provider wouldn't await it anyway, unless PULUMI_K8S_AWAIT_ALL is set.
        """
        # Adopts an existing claim of this name, for example one restored from a snapshot.
        adopting = {"cdi.kubevirt.io/allowClaimAdoption": "true"}
        return kubernetes.apiextensions.CustomResource(
            self._names.resource("database-data"),
            api_version="cdi.kubevirt.io/v1beta1",
            kind="DataVolume",
            metadata=self._metadata(name, {**adopting, **NOT_AWAITED, **data_disk.contents(self._settings.database)}),
            spec={"source": {"blank": {}}, "storage": storage(disk)},
            opts=pulumi.ResourceOptions(parent=self, retain_on_delete=disk.keep, hooks=data_disk.hooks(self._settings)),
        )
