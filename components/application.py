"""The application tier: machines that serve the JSON API."""

from __future__ import annotations

from collections.abc import Sequence

import pulumi

from cloudinit import ApiAccess, ApplicationGuest, render_application
from cloudinit.constants import APPLICATION_METRICS_PORT, APPLICATION_PORT
from components.api_access import Right
from components.guests import site
from components.names import TierName
from components.settings import Settings
from components.tier import Endpoint, Tier


class Application(Tier):
    """The JSON API in front of the database."""

    tier = TierName.APPLICATION
    endpoint = Endpoint(
        port=APPLICATION_PORT,
        port_name="http",
        readiness={"httpGet": {"path": "/ready", "port": APPLICATION_PORT}},
        metrics_port=APPLICATION_METRICS_PORT,
        clients=TierName.WEB,
    )

    def __init__(
        self, settings: Settings, behind: Sequence[pulumi.Resource], opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(settings, settings.application, behind, opts)

        names = self._names
        rights = [Right("secrets", names.credentials)]
        certificate = names.certificate if settings.database.tls.enabled else None
        if certificate:
            rights.append(Right("configmaps", certificate))
        api = self._api_access(*rights)

        def user_data(api: ApiAccess) -> str:
            guest = ApplicationGuest(
                family=settings.application.family,
                api=api,
                credentials=names.credentials,
                certificate=certificate,
                faults=self._faults,
                database_host=settings.names.service_host(TierName.DATABASE),
                metrics=settings.metrics.enabled,
                site=site(settings),
                tracing=self._tracing(),
            )
            return render_application(guest)

        shared = self._user_data(api.apply(user_data))
        self._replicas(settings.application, shared)
        if canary := settings.application.canary_machines:
            for index in range(canary.replicas):
                self._machine(index, shared, canary=canary)
        self._service()
        self.register_outputs({})
