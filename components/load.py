"""The load plan, which changes while the machines run, and what lets the load generator read it."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_kubernetes as kubernetes
from pulumi.output import UNKNOWN

from cloudinit import LoadPlan, LoadPlanSource, render_load_plan
from components import settings
from components.names import Names, TierName

COMPONENT = "load"


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadArgs:
    """What the load is given.

    Attributes:
        names: the names of the stack's objects.
        settings: what load to generate.
        accounts: how many accounts the database has.
    """

    names: Names
    settings: settings.Load
    accounts: int


class Load(pulumi.ComponentResource):
    """The load plan in a ConfigMap, and an identity that may read this one object and nothing else.

    The plan is not in the generator's user data, so that a changed rate is a changed ConfigMap and no new machine.

    Attributes:
        source: where the generator reads the plan, and with what credentials; secret.
    """

    source: pulumi.Output[LoadPlanSource]

    def __init__(self, args: LoadArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("multi-tier:components:Load", COMPONENT, None, opts)
        self._names = args.names
        self._child = pulumi.ResourceOptions(parent=self)
        kubernetes.core.v1.ConfigMap(
            "load-plan", metadata=self._metadata(), data={"plan.json": _plan(args)}, opts=self._child
        )
        account = kubernetes.core.v1.ServiceAccount("load-account", metadata=self._metadata(), opts=self._child)
        self._grant()
        self._service()
        # A token without end: a guest can't ask for a fresh one, and the load would stop with it.
        token = kubernetes.core.v1.Secret(
            "load-token",
            metadata={**self._metadata(), "annotations": {"kubernetes.io/service-account.name": args.names.load}},
            type="kubernetes.io/service-account-token",
            opts=pulumi.ResourceOptions(parent=self, depends_on=[account]),
        )
        self.source = token.data.apply(self._source)
        self.register_outputs({})

    def _metadata(self) -> dict[str, object]:
        return {
            "name": self._names.load,
            "namespace": self._names.namespace,
            "labels": self._names.labels(COMPONENT),
        }

    def _grant(self) -> None:
        """Let the account read the ConfigMap."""
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

    def _service(self) -> None:
        """Let the generator's own figures be read from the one web machine that has them."""
        kubernetes.core.v1.Service(
            "load-service",
            metadata={**self._metadata(), "annotations": {"pulumi.com/skipAwait": "true"}},
            spec={
                "type": "ClusterIP",
                "selector": {"vm.kubevirt.io/name": self._names.machine(TierName.WEB, 0)},
                "ports": [{"name": "http", "port": 80, "target_port": 80, "protocol": "TCP"}],
            },
            opts=self._child,
        )

    def _source(self, data: Mapping[str, str] | None) -> LoadPlanSource:
        if not data:
            # A preview's dry run answers with a Secret that no controller has filled in.
            if pulumi.runtime.is_dry_run():
                return UNKNOWN  # type: ignore[return-value]
            raise pulumi.RunError(
                f"The cluster put no token into the Secret {self._names.load}: "
                "is the kube-controller-manager's token controller running? Then run `pulumi up` again."
            )
        return LoadPlanSource(
            namespace=self._names.namespace,
            config_map=self._names.load,
            token=b64decode(data["token"]).decode(),
            certificate_authority=b64decode(data["ca.crt"]).decode(),
        )


def _plan(args: LoadArgs) -> str:
    plan = LoadPlan(
        rps=args.settings.rps,
        concurrency=args.settings.concurrency,
        accounts=args.accounts,
        mix=args.settings.mix.model_dump(),
    )
    return render_load_plan(plan)
