"""The load plan and the gates, which can change while the machines run, and the load generator's access to them."""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Mapping

import pulumi
import pulumi_kubernetes as kubernetes
from pulumi.output import UNKNOWN

import cloudinit
from cloudinit import LoadGuest, LoadPlanSource, render_load_plan
from cloudinit.constants import LOAD_AGENT_PORT, NODE_METRICS_PORT, WEB_PORT
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
        former = pulumi.ResourceOptions(aliases=[pulumi.Alias(name="load", type_="multi-tier:components:Load")])
        options = pulumi.ResourceOptions.merge(opts, former)
        super().__init__("multi-tier:components:LoadPlan", "load-plan", None, options)
        self._names = settings.names
        self._child = pulumi.ResourceOptions(parent=self)
        kubernetes.core.v1.ConfigMap(
            "load-plan",
            metadata=self._metadata(),
            data={"plan.json": _plan(settings), "gates.json": _gates(settings.gates)},
            opts=self._child,
        )
        account = kubernetes.core.v1.ServiceAccount("load-account", metadata=self._metadata(), opts=self._child)
        self._grant()
        self._service(settings)
        # A token that doesn't expire, because a guest can't renew one.
        token = kubernetes.core.v1.Secret(
            "load-token",
            metadata={**self._metadata(), "annotations": {"kubernetes.io/service-account.name": settings.names.load}},
            type="kubernetes.io/service-account-token",
            opts=pulumi.ResourceOptions(parent=self, depends_on=[account]),
        )

        def generator(data: Mapping[str, str] | None) -> LoadGuest:
            return LoadGuest(
                target=f"http://{self._names.service_host(TierName.WEB)}",
                plan=self._source(data),
                metrics=settings.metrics.enabled,
                tracing=tracing_target(settings, self._names.load),
            )

        self.generator = token.data.apply(generator)
        self.register_outputs({})

    def _metadata(self) -> dict[str, object]:
        return {
            "name": self._names.load,
            "namespace": self._names.namespace,
            "labels": self._names.labels(COMPONENT),
        }

    def _grant(self) -> None:
        """Grant the account read access to the ConfigMap."""
        name = self._names.load
        rule = {
            "api_groups": [""],
            "resources": ["configmaps"],
            "resource_names": [name],
            "verbs": ["get", "list", "watch"],
        }
        kubernetes.rbac.v1.Role("load-reader", metadata=self._metadata(), rules=[rule], opts=self._child)
        kubernetes.rbac.v1.RoleBinding(
            "load-reader",
            metadata=self._metadata(),
            role_ref={"api_group": "rbac.authorization.k8s.io", "kind": "Role", "name": name},
            subjects=[{"kind": "ServiceAccount", "name": name, "namespace": self._names.namespace}],
            opts=self._child,
        )

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
            "load-service",
            metadata={**self._metadata(), "annotations": {"pulumi.com/skipAwait": "true"}},
            spec={
                "type": "ClusterIP",
                "selector": {"vm.kubevirt.io/name": host},
                "ports": ports,
                "ip_family_policy": str(settings.ip_family_policy),
            },
            opts=self._child,
        )

    def _source(self, data: Mapping[str, str] | None) -> LoadPlanSource:
        if not data:
            # A preview is a dry run, which returns the Secret before a controller fills it in.
            if pulumi.runtime.is_dry_run():
                return UNKNOWN  # type: ignore[return-value]
            raise pulumi.RunError(
                f"The Secret {self._names.load} has no token. Check that the kube-controller-manager's token "
                "controller is running, then run `pulumi up` again."
            )
        return LoadPlanSource(
            namespace=self._names.namespace,
            config_map=self._names.load,
            token=b64decode(data["token"]).decode(),
            certificate_authority=b64decode(data["ca.crt"]).decode(),
            server=self._names.api_server,
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
