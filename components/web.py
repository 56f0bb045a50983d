"""The web tier: nginx machines, of which the first carries the load generator."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import pulumi

from cloudinit import LoadGuest, WebGuest, render_web
from cloudinit.families import Exporter
from components import machine_settings
from components.names import TierName
from components.tier import Endpoint, Tier, TierArgs


@dataclass(frozen=True, slots=True, kw_only=True)
class WebArgs(TierArgs[machine_settings.Web]):
    """What the web tier is given.

    Attributes:
        generator: the load generator that the first machine carries; None: it carries none.
    """

    generator: pulumi.Output[LoadGuest] | None


class Web(Tier[machine_settings.Web]):
    """The reverse proxy before the application."""

    tier = TierName.WEB
    endpoint = Endpoint(80, "http", {"httpGet": {"path": "/ready", "port": 80}}, 9113, Exporter.NGINX)

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
        self._service()
        self.register_outputs({})
