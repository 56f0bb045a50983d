"""The load plan and the gates, which can change while the machines run, and the load generator's access to them."""

from __future__ import annotations

import json

import pulumi
import pulumi_kubernetes as kubernetes

import cloudinit
from cloudinit import ApiAccess, LoadGuest, render_load_plan
from cloudinit.constants import LOAD_AGENT_PORT, NODE_METRICS_PORT, WEB_PORT
from components.api_access import Right, account, api_access
from components.guests import tracing_target
from components.names import TierName
from components.settings import Settings
from components.settings.load import GateSettings
from components.settings.values import seconds_of
from components.tier import service_port

COMPONENT = "load"


class LoadConfiguration(pulumi.ComponentResource):
    """The load plan and the gates in a ConfigMap, and an account that can read this ConfigMap only.

    The plan is not part of the user data, so that a changed rate updates a ConfigMap instead of replacing a machine.

    Attributes:
        generator: What the machine with the load generator needs to know; secret.
    """

    generator: pulumi.Output[LoadGuest]

    def __init__(self, settings: Settings, opts: pulumi.ResourceOptions | None = None) -> None:
        # Its name before the generator could have its own machine, so that existing stacks keep their objects.
        self._names = names = settings.names
        former = pulumi.Alias(name=names.resource("load"), type_="multi-tier:components:Load")
        options = pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(aliases=[former]))
        super().__init__("multi-tier:components:LoadPlan", names.resource("load-plan"), None, options)
        self._child = pulumi.ResourceOptions(parent=self)
        kubernetes.core.v1.ConfigMap(
            names.resource("load-plan"),
            metadata=self._metadata(),
            data={"plan.json": _plan(settings), "gates.json": _gates(settings.gates)},
            opts=self._child,
        )
        self._service(settings)
        right = Right("configmaps", self._names.load)
        owner = account(self._names, TierName.LOAD, self._child)
        access = api_access(self._names, TierName.LOAD, owner, [right], self._child)

        def generator(api: ApiAccess) -> LoadGuest:
            return LoadGuest(
                target=f"http://{self._names.service_host(TierName.WEB)}",
                api=api,
                plan=self._names.load,
                metrics=settings.metrics.enabled,
                tracing=tracing_target(settings, self._names.load),
            )

        self.generator = access.apply(generator)
        self.register_outputs({})

    def _metadata(self) -> dict[str, object]:
        return {
            "name": self._names.load,
            "namespace": self._names.namespace,
            "labels": self._names.labels(COMPONENT),
        }

    def _service(self, settings: Settings) -> None:
        """Declare the Service of the machine with the load generator."""
        mesh = settings.mesh.enabled
        ports = [service_port("http", WEB_PORT, LOAD_AGENT_PORT, mesh=mesh)]
        if settings.metrics.enabled:
            ports.append(service_port("metrics", LOAD_AGENT_PORT, mesh=mesh))
            # The web tier's Service already has the node exporter of a web machine.
            ports += [service_port("node-metrics", NODE_METRICS_PORT, mesh=mesh)] if settings.load.dedicated else []
        host = self._names.machine(settings.load.tier, 0)
        kubernetes.core.v1.Service(
            self._names.resource("load-service"),
            metadata={**self._metadata(), "annotations": {"pulumi.com/skipAwait": "true"}},
            spec={
                "type": "ClusterIP",
                "selector": {"vm.kubevirt.io/name": host},
                "ports": ports,
                "ip_family_policy": str(settings.ip_family_policy),
            },
            opts=self._child,
        )


def _plan(settings: Settings) -> str:
    load = settings.load
    plan = cloudinit.LoadPlan(
        profile=load.profile,
        rps=load.rps,
        peak=load.peak_rps,
        seconds=seconds_of(load.duration),
        concurrency=load.concurrency,
        accounts=settings.database.accounts,
        mix=load.mix.model_dump(),
        seed=load.seed,
        # Without an endpoint, only third-party tracing uses the flag, and it should see every request.
        sampled=settings.tracing.sampling if settings.tracing.endpoint else 1.0,
    )
    return render_load_plan(plan)


def _gates(gates: GateSettings) -> str:
    return json.dumps(gates.model_dump(), indent=2, sort_keys=True) + "\n"
