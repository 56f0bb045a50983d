"""The load tier: the load generator's machine, if it doesn't share one with nginx."""

from __future__ import annotations

from collections.abc import Sequence

import pulumi

from cloudinit import LoadGuest, LoadMachineGuest, render_load
from cloudinit.constants import LOAD_AGENT_PORT
from components.guests import site
from components.names import TierName
from components.settings import Settings
from components.tier import Endpoint, Tier


class Load(Tier):
    """A machine that generates load. LoadConfiguration declares its Service."""

    tier = TierName.LOAD
    endpoint = Endpoint(
        port=LOAD_AGENT_PORT,
        port_name="http",
        readiness={"httpGet": {"path": "/ready", "port": LOAD_AGENT_PORT}},
        metrics_port=LOAD_AGENT_PORT,
    )

    def __init__(
        self,
        settings: Settings,
        generator: pulumi.Output[LoadGuest],
        behind: Sequence[pulumi.Resource],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(settings, settings.load, behind, opts)

        def user_data(generator: LoadGuest) -> str:
            guest = LoadMachineGuest(
                family=settings.load.family,
                load=generator,
                site=site(settings),
            )
            return render_load(guest)

        self._machine(0, self._user_data(generator.apply(user_data)))
        self.register_outputs({})
