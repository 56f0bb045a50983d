"""The application tier: machines that serve the JSON API."""

from __future__ import annotations

from functools import partial
from typing import Any

import pulumi

from cloudinit import ApplicationGuest, render_application
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
        self, settings: Settings, password: pulumi.Output[str], opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(settings, settings.application, opts)

        api = self._api_access(Right("secrets", self._names.credentials))

        def user_data(hostname: str, values: list[Any]) -> str:
            password, api = values
            guest = ApplicationGuest(
                hostname=hostname,
                family=settings.application.family,
                password=password,
                api=api,
                database_host=settings.names.service_host(TierName.DATABASE),
                metrics=settings.metrics.enabled,
                site=site(settings),
                tracing=self._tracing(),
            )
            return render_application(guest)

        inputs = pulumi.Output.all(password, api)
        for index, hostname in enumerate(self._names.machines(self.tier, settings.application.replicas)):
            self._machine(index, inputs.apply(partial(user_data, hostname)))
        if canary := settings.application.canary_machines:
            for index, hostname in enumerate(self._names.machines(self.tier, canary.replicas, canary=True)):
                self._machine(index, inputs.apply(partial(user_data, hostname)), canary=canary)
        self._service()
        self.register_outputs({})
