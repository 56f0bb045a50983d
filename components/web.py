"""The web tier: nginx machines, of which the first carries the load generator, and how they are reached."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import pulumi
import pulumi_kubernetes as kubernetes
from pulumi.output import UNKNOWN

from cloudinit import LoadGuest, WebGuest, render_web
from cloudinit.constants import WEB_METRICS_PORT, WEB_PORT
from cloudinit.families import Exporter
from components.exposure import expose
from components.names import TierName
from components.settings import machines
from components.settings.values import ServiceType
from components.tier import Endpoint, ServiceArgs, Tier, TierArgs


@dataclass(frozen=True, slots=True, kw_only=True)
class WebArgs(TierArgs[machines.Web]):
    """What the web tier is given.

    Attributes:
        generator: the load generator that the first machine carries; None: it carries none.
    """

    generator: pulumi.Output[LoadGuest] | None


class Web(Tier[machines.Web]):
    """The reverse proxy before the application.

    Attributes:
        external_url: its address from outside the cluster, where it is known; None: it isn't.
    """

    external_url: pulumi.Output[str] | str | None

    tier = TierName.WEB
    endpoint = Endpoint(
        WEB_PORT, "http", {"httpGet": {"path": "/ready", "port": WEB_PORT}}, WEB_METRICS_PORT, Exporter.NGINX
    )

    def __init__(self, args: WebArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(args, opts)

        def user_data(hostname: str, generator: LoadGuest | None) -> str:
            guest = WebGuest(
                hostname=hostname,
                family=args.machine.family,
                application_host=self._names.service_host(TierName.APPLICATION),
                load=generator,
                metrics=args.stack.metrics.enabled,
                site=args.stack.site,
                tracing=self._tracing(),
            )
            return render_web(guest)

        carrier, *others = self._names.machines(self.tier, args.machine.replicas)
        generator = pulumi.Output.from_input(args.generator)
        self._machine(0, generator.apply(partial(user_data, carrier)))
        for index, hostname in enumerate(others, start=1):
            self._machine(index, pulumi.Output.from_input(user_data(hostname, None)))
        chosen = args.machine.service
        service = self._service(
            ServiceArgs(
                type=chosen.type,
                node_port=chosen.node_port,
                load_balancer_class=chosen.load_balancer_class,
                annotations=chosen.annotations,
            )
        )
        exposure = args.machine.expose
        if exposure:
            name = self._names.service(self.tier)
            opts = pulumi.ResourceOptions(parent=self, depends_on=[service])
            expose(exposure, self._metadata(name), name, self.endpoint.port, opts)
        url = exposure.url if exposure else None
        balanced = chosen.type is ServiceType.LOAD_BALANCER
        self.external_url = service.status.apply(_address) if balanced and not url else url
        self.register_outputs({})


def _address(status: kubernetes.core.v1.outputs.ServiceStatus | None) -> str:
    """Return the address that a load balancer has given."""
    given = status and status.load_balancer and status.load_balancer.ingress
    if not given:
        # In a preview nobody has given one yet; without one the Service would not count as created.
        return UNKNOWN  # type: ignore[return-value]
    address = str(given[0].hostname or given[0].ip)
    return f"http://[{address}]/" if ":" in address else f"http://{address}/"
