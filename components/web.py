"""The web tier: nginx machines, the first of which can run the load generator, and the way in from outside."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pulumi
import pulumi_kubernetes as kubernetes
from pulumi.output import UNKNOWN

from cloudinit import LoadGuest, WebGuest, render_web
from cloudinit.constants import WEB_METRICS_PORT, WEB_PORT
from cloudinit.families import Exporter
from components.exposure import expose
from components.guests import site
from components.names import TierName
from components.settings import Settings
from components.settings.exposure import ServiceType
from components.tier import Endpoint, Tier


class Web(Tier):
    """The reverse proxy in front of the application.

    Attributes:
        external_url: Its URL from outside the cluster; None if it isn't known.
    """

    external_url: pulumi.Output[str] | str | None

    tier = TierName.WEB
    endpoint = Endpoint(
        port=WEB_PORT,
        port_name="http",
        readiness={"httpGet": {"path": "/ready", "port": WEB_PORT}},
        metrics_port=WEB_METRICS_PORT,
        exporter=Exporter.NGINX,
    )

    def __init__(
        self,
        settings: Settings,
        generator: pulumi.Output[LoadGuest] | None,
        behind: Sequence[pulumi.Resource],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(settings, settings.web, behind, opts)

        api = self._api_access()

        def user_data(values: list[Any]) -> str:
            api, generator = values
            guest = WebGuest(
                family=settings.web.family,
                application_host=self._names.service_host(TierName.APPLICATION),
                api=api,
                faults=self._faults,
                load=generator,
                metrics=settings.metrics.enabled,
                site=site(settings),
                tracing=self._tracing(),
            )
            return render_web(guest)

        kinds = []
        if generator:
            text = pulumi.Output.all(api, generator).apply(user_data)
            kinds.append(self._user_data(text, self._names.machine(self.tier, 0)))
        if settings.web.count > len(kinds):
            kinds.append(self._user_data(pulumi.Output.all(api, None).apply(user_data)))
        self._replicas(settings.web, *kinds)
        service = self._service(settings.web.service)
        exposure = settings.web.expose
        if exposure:
            opts = pulumi.ResourceOptions(parent=self, depends_on=[service])
            expose(settings, exposure, self._metadata(self._names.service(self.tier)), opts)
        url = exposure.url if exposure else None
        balanced = settings.web.service.type is ServiceType.LOAD_BALANCER
        self.external_url = service.status.apply(_address) if balanced and not url else url
        self.register_outputs({})


def _address(status: kubernetes.core.v1.outputs.ServiceStatus | None) -> str:
    """Return the URL of the address that the load balancer assigned."""
    assigned = status and status.load_balancer and status.load_balancer.ingress
    if not assigned:
        # Only in a preview: without an address, the Service would not count as created.
        return UNKNOWN  # type: ignore[return-value]
    address = str(assigned[0].hostname or assigned[0].ip)
    return f"http://[{address}]/" if ":" in address else f"http://{address}/"
