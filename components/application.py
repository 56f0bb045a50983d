"""The application tier: machines that serve the JSON API."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import pulumi

from cloudinit import ApplicationGuest, render_application
from cloudinit.constants import APPLICATION_METRICS_PORT, APPLICATION_PORT
from components.names import TierName
from components.settings import machines
from components.tier import Endpoint, Tier, TierArgs


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplicationArgs(TierArgs[machines.Application]):
    """What the application tier is given.

    Attributes:
        password: of the database's user.
    """

    password: pulumi.Output[str]


class Application(Tier[machines.Application]):
    """The JSON API over the database."""

    tier = TierName.APPLICATION
    endpoint = Endpoint(
        APPLICATION_PORT, "http", {"httpGet": {"path": "/ready", "port": APPLICATION_PORT}}, APPLICATION_METRICS_PORT
    )

    def __init__(self, args: ApplicationArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(args, opts)

        def user_data(hostname: str, password: str) -> str:
            guest = ApplicationGuest(
                hostname=hostname,
                family=args.machine.family,
                password=password,
                database_host=self._names.service_host(TierName.DATABASE),
                metrics=args.stack.metrics.enabled,
                site=args.stack.site,
                tracing=self._tracing(),
            )
            return render_application(guest)

        for index, hostname in enumerate(self._names.machines(self.tier, args.machine.replicas)):
            self._machine(index, args.password.apply(partial(user_data, hostname)))
        self._service()
        self.register_outputs({})
