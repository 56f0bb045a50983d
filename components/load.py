"""The load generator's own machine, where it doesn't share one with nginx."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi

from cloudinit import LoadGuest, LoadMachineGuest, render_load
from cloudinit.constants import LOAD_AGENT_PORT
from components.names import TierName
from components.settings import load
from components.tier import Endpoint, Tier, TierArgs


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadArgs(TierArgs[load.Load]):
    """What the load generator's machine is given.

    Attributes:
        generator: what the generator needs to know.
    """

    generator: pulumi.Output[LoadGuest]


class Load(Tier[load.Load]):
    """A machine that sends load. Its figures are behind the load plan's Service."""

    tier = TierName.LOAD
    endpoint = Endpoint(
        LOAD_AGENT_PORT, "http", {"httpGet": {"path": "/ready", "port": LOAD_AGENT_PORT}}, LOAD_AGENT_PORT
    )

    def __init__(self, args: LoadArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(args, opts)
        hostname = self._names.machine(self.tier, 0)

        def user_data(generator: LoadGuest) -> str:
            guest = LoadMachineGuest(
                hostname=hostname, family=args.machine.family, load=generator, site=args.stack.site
            )
            return render_load(guest)

        self._machine(0, args.generator.apply(user_data))
        self.register_outputs({})
