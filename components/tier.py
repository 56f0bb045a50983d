"""The common parts of a tier: machines with their user data in Secrets, behind one Service."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import pulumi
import pulumi_kubernetes as kubernetes
from pulumi.resource import create_urn

from cloudinit import ApiAccess, FaultObjects, TracingTarget, render_dual_stack
from cloudinit.constants import NODE_METRICS_PORT
from cloudinit.families import Exporter, has_exporter
from components.api_access import Right, account, api_access
from components.guests import tracing_target
from components.machine_pool import machine_pool
from components.mesh import REFUSED_PORTS, app_protocol, pod_annotations, pod_labels
from components.names import VERSION, TierName
from components.settings import Settings
from components.settings.exposure import ServiceType, WebService
from components.settings.machines import MachineSettings
from components.settings.tiers import ReplicatedSettings
from components.virtual_machine import DataVolumeDisk, VirtualMachineArgs, virtual_machine

NOT_AWAITED = {"pulumi.com/skipAwait": "true"}
ADDRESS_AWAITED = {"pulumi.com/waitFor": "jsonpath={.status.loadBalancer.ingress}"}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a tier serves requests and metrics.

    Attributes:
        port: Port of the guests and of the Service.
        port_name: Name of the port, from which a mesh derives the protocol.
        readiness: Handler of the readiness probe.
        metrics_port: Port of the guests' exporter for the tier's own metrics.
        exporter: The exporter, if it is one that not every distribution packages.
        clients: The tier that connects to the port; None if `networkPolicies.webFrom` decides.
    """

    port: int
    port_name: str
    readiness: Mapping[str, Any]
    metrics_port: int
    exporter: Exporter | None = None
    clients: TierName | None = None

    def __post_init__(self) -> None:
        if refused := REFUSED_PORTS & {self.port, self.metrics_port}:
            raise ValueError(f"a tier can't use port {min(refused)}: a service mesh reserves it")


@dataclass(frozen=True, slots=True)
class UserData:
    """User data in a Secret, which all machines share that have the same.

    Attributes:
        text: The user data; secret.
        name: Name of the Secret.
        secret: The Secret.
    """

    text: pulumi.Output[str]
    name: str
    secret: kubernetes.core.v1.Secret


class Tier(pulumi.ComponentResource):
    """A tier. What depends on it starts once its children exist and its machines are ready.

    Only its machines wait for the tier behind it: that tier boots while the other objects are created.
    """

    tier: ClassVar[TierName]
    endpoint: ClassVar[Endpoint]

    def __init__(
        self,
        settings: Settings,
        machine: MachineSettings,
        behind: Sequence[pulumi.Resource],
        opts: pulumi.ResourceOptions | None,
    ) -> None:
        """Declare the component.

        Args:
            settings: Settings of the instance.
            machine: Settings of the tier's machines.
            behind: What must exist, and for a tier serve, before a machine of this tier is created.
            opts: Options of the component.
        """
        self._names = settings.names
        kind = f"multi-tier:components:{self.tier.capitalize()}"
        super().__init__(kind, self._names.resource(self.tier), None, opts)
        self._settings = settings
        self._machine_settings = machine
        self._behind = behind
        self._labels = self._names.labels(self.tier)
        self._machines: list[pulumi.Resource] = []
        # Where it was while only tiers in a mesh had one.
        former = pulumi.Alias(parent=create_urn("service-mesh", "multi-tier:components:ServiceMesh"))
        child = pulumi.ResourceOptions(parent=self, aliases=[former])
        # LoadConfiguration declares that of the load generator, which may be on a web machine.
        self._account = account(self._names, self.tier, child) if self.tier is not TierName.LOAD else None

    def _metadata(self, name: str, annotations: Mapping[str, str] | None = None) -> dict[str, Any]:
        metadata = {"name": name, "namespace": self._names.namespace, "labels": self._labels}
        # An empty map would show as a change in every preview.
        return {**metadata, "annotations": annotations} if annotations else metadata

    def _api_access(self, *rights: Right) -> pulumi.Output[ApiAccess]:
        """Declare the rights of the tier's account, and return its guests' access to the Kubernetes API.

        Args:
            rights: Its rights, besides those on the ConfigMaps of faults.
        """
        assert self._account, f"{self.tier} has no account of its own"  # noqa: S101
        plan = Right("configmaps", self._names.faults)
        reports = Right("configmaps", self._names.fault_reports, ("patch",))
        rights = (*rights, plan, reports)
        return api_access(self._names, self.tier, self._account, rights, pulumi.ResourceOptions(parent=self))

    def _resource(self, name: str) -> str:
        """Return the name for Pulumi of an object with this name."""
        return self._names.resource(name.removeprefix(f"{self._names.name}-"))

    def _user_data(self, text: pulumi.Output[str], owner: str | None = None) -> UserData:
        """Declare the Secret with user data.

        Args:
            text: The user data.
            owner: The machine that it is for; None: all machines of the tier.
        """
        dual_stack = self._settings.dual_stack
        name = self._names.user_data(owner or self._names.service(self.tier))
        secret = kubernetes.core.v1.Secret(
            self._resource(name),
            metadata=self._metadata(name),
            type="Opaque",
            string_data={"userdata": text, **({"networkdata": render_dual_stack()} if dual_stack else {})},
            opts=pulumi.ResourceOptions(parent=self),
        )
        return UserData(text, name, secret)

    def _replicas(self, settings: ReplicatedSettings, *user_data: UserData) -> None:
        """Declare the tier's machines, as a pool or one by one.

        Args:
            settings: Their settings.
            user_data: The first machine's, the second's, and so on; the last is that of all the others, too.
        """
        if not settings.pooled:
            for index in range(settings.replicas):
                self._machine(index, user_data[min(index, len(user_data) - 1)])
            return
        (shared,) = user_data
        arguments = self._arguments(self._names.pool(self.tier), settings, shared)
        opts = pulumi.ResourceOptions(parent=self, depends_on=self._before(shared))
        self._machines.append(machine_pool(self._resource(arguments.name), arguments, settings, opts))

    def _machine(
        self,
        index: int,
        user_data: UserData,
        data_disk: DataVolumeDisk | None = None,
        depends_on: Sequence[pulumi.Resource] = (),
        canary: MachineSettings | None = None,
    ) -> None:
        """Declare a machine; with settings of a canary, it is one of those.

        It depends on the machine declared so many before it that at most `maxUnavailable` are replaced at a time: the
        engine replaces a machine, and awaits the new one, before it comes to those that depend on it.
        """
        settings = canary or self._machine_settings
        name = self._names.machine(self.tier, index, canary=canary is not None)
        earliest = len(self._machines) - self._machine_settings.most_unavailable
        preceding = self._machines[earliest : earliest + 1] if earliest >= 0 else []
        opts = pulumi.ResourceOptions(parent=self, depends_on=[*self._before(user_data), *depends_on, *preceding])
        arguments = self._arguments(name, settings, user_data, data_disk)
        self._machines.append(virtual_machine(self._resource(name), arguments, opts))

    def _before(self, user_data: UserData) -> list[pulumi.Resource]:
        """Return what exists before a machine of the tier."""
        # By name, not by the Secret's outputs: replacing the Secret alone must not replace the machine.
        return [user_data.secret, *([self._account] if self._account else []), *self._behind]

    def _arguments(
        self, name: str, settings: MachineSettings, user_data: UserData, data_disk: DataVolumeDisk | None = None
    ) -> VirtualMachineArgs:
        return VirtualMachineArgs(
            name=name,
            namespace=self._names.namespace,
            labels={**self._labels, VERSION: settings.version},
            selector=self._names.pods(self.tier),
            machine=settings,
            timeouts=self._settings.timeouts,
            user_data=user_data.text,
            user_data_secret=user_data.name,
            network_data=self._settings.dual_stack,
            pooled=settings.pooled,
            readiness=self.endpoint.readiness,
            data_disk=data_disk,
            service_account=self._names.service_account(self.tier) if self._settings.mesh.enabled else None,
            pod_labels=pod_labels(self._settings.mesh),
            pod_annotations=pod_annotations(self._settings.mesh),
        )

    @property
    def _faults(self) -> FaultObjects:
        """The ConfigMaps of its guests' faults."""
        return FaultObjects(plan=self._names.faults, reports=self._names.fault_reports)

    def _tracing(self) -> TracingTarget | None:
        """Return where this tier's guests send their spans; None without tracing."""
        return tracing_target(self._settings, self._names.service(self.tier))

    def _service(self, chosen: WebService | None = None) -> kubernetes.core.v1.Service:
        """Declare the Service, next to the machines.

        It isn't awaited: the provider would wait ten seconds after each change of its endpoints, but a machine that is
        ready already is an endpoint. Only the address of a load balancer is awaited.

        Args:
            chosen: How it is reached from outside the cluster; None if it isn't.
        """
        chosen = chosen or WebService()
        ports = {self.endpoint.port_name: self.endpoint.port}
        if self._settings.metrics.enabled:
            exporter = self.endpoint.exporter
            if exporter is None or has_exporter(self._machine_settings.family, exporter):
                ports["metrics"] = self.endpoint.metrics_port
            ports["node-metrics"] = NODE_METRICS_PORT
        mesh = self._settings.mesh.enabled
        served, *others = (service_port(name, port, mesh=mesh) for name, port in ports.items())
        if chosen.node_port:
            served["node_port"] = chosen.node_port
        specification: dict[str, Any] = {
            "type": str(chosen.type),
            "selector": self._names.pods(self.tier),
            "ports": [served, *others],
            "ip_family_policy": str(self._settings.ip_family_policy),
        }
        if chosen.load_balancer_class:
            specification["load_balancer_class"] = chosen.load_balancer_class
        awaited = ADDRESS_AWAITED if chosen.type is ServiceType.LOAD_BALANCER else NOT_AWAITED
        ready = self._settings.timeouts.ready
        return kubernetes.core.v1.Service(
            self._names.resource(f"{self.tier}-service"),
            metadata=self._metadata(self._names.service(self.tier), {**(chosen.annotations or {}), **awaited}),
            spec=specification,
            opts=pulumi.ResourceOptions(
                parent=self,
                # The API server refuses to change the class, and the fixed name allows only one Service at a time.
                replace_on_changes=["spec.loadBalancerClass"],
                delete_before_replace=True,
                custom_timeouts=pulumi.CustomTimeouts(create=ready, update=ready),
            ),
        )


def service_port(name: str, port: int, target_port: int | None = None, *, mesh: bool) -> dict[str, Any]:
    """Return a Service's port.

    Args:
        name: Its name, which starts with its protocol or is `postgresql`.
        port: The port that clients connect to.
        target_port: The port that the guests listen on, if it is another.
        mesh: Whether a service mesh needs to know the protocol.
    """
    found = {"name": name, "port": port, "target_port": target_port or port, "protocol": "TCP"}
    return {**found, "app_protocol": app_protocol(name)} if mesh else found
