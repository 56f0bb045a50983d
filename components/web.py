"""The web tier: nginx machines, of which the first carries the load generator."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import pulumi

from cloudinit import LoadGuest, LoadPlanSource, WebGuest, render_web
from components import settings
from components.names import TierName
from components.tier import Endpoint, Tier, TierArgs


@dataclass(frozen=True, slots=True, kw_only=True)
class WebArgs(TierArgs[settings.Web]):
    """What the web tier is given.

    Attributes:
        load_plan: where the load generator reads its plan; None: no load is generated.
    """

    load_plan: pulumi.Output[LoadPlanSource] | None


class Web(Tier[settings.Web]):
    """The reverse proxy before the application."""

    tier = TierName.WEB
    endpoint = Endpoint(80, "http", {"httpGet": {"path": "/ready", "port": 80}})

    def __init__(self, args: WebArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(args, opts)

        def user_data(hostname: str, load_plan: LoadPlanSource | None) -> str:
            target = f"http://{args.names.service_host(TierName.WEB)}"
            guest = WebGuest(
                hostname=hostname,
                family=args.settings.family,
                application_host=args.names.service_host(TierName.APPLICATION),
                load=LoadGuest(target=target, plan=load_plan) if load_plan else None,
            )
            return render_web(guest)

        carrier, *others = args.names.machines(self.tier, args.settings.replicas)
        load_plan = pulumi.Output.from_input(args.load_plan)
        self._machine(0, load_plan.apply(partial(user_data, carrier)))
        for index, hostname in enumerate(others, start=1):
            self._machine(index, pulumi.Output.from_input(user_data(hostname, None)))
        self._service()
        self.register_outputs({})
