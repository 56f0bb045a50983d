"""What every tier is: machines, each with its user data in a Secret, behind one Service."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar

import pulumi
import pulumi_kubernetes as kubernetes

from cloudinit import TracingTarget
from cloudinit.constants import NODE_METRICS_PORT
from cloudinit.families import Exporter, has_exporter
from components.mesh import REFUSED_PORTS, app_protocol, pod_annotations, pod_labels
from components.names import TierName
from components.settings import Settings
from components.settings.machines import Machine
from components.settings.values import ServiceType
from components.virtual_machine import DataVolumeDisk, VirtualMachineArgs, virtual_machine

NOT_AWAITED = {"pulumi.com/skipAwait": "true"}
ADDRESS_AWAITED = {"pulumi.com/waitFor": "jsonpath={.status.loadBalancer.ingress}"}
MachineSettings = TypeVar("MachineSettings", bound=Machine)


@dataclass(frozen=True, slots=True, kw_only=True)
class TierArgs(Generic[MachineSettings]):
    """What every tier is given.

    Attributes:
        stack: the settings of the whole stack.
        machine: those of this tier's machines.
    """

    stack: Settings
    machine: MachineSettings


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a tier serves.

    Attributes:
        port: port of the guests and of the Service.
        port_name: name of the port, which tells meshes its protocol.
        readiness: handler of the probe that tells whether a machine serves.
        metrics_port: port of the guests' exporter for what the tier does.
        exporter: what listens there, where it is a program of the distribution's, which not every one has.
    """

    port: int
    port_name: str
    readiness: Mapping[str, Any]
    metrics_port: int
    exporter: Exporter | None = None

    def __post_init__(self) -> None:
        if refused := REFUSED_PORTS & {self.port, self.metrics_port}:
            raise ValueError(f"port {min(refused)} is not a tier's to take: a service mesh needs it for itself")


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceArgs:
    """What a tier's Service is, besides its ports.

    Attributes:
        type: how it is reached.
        node_port: its port on every node; None: chosen by the cluster, where it has one.
        load_balancer_class: which load balancer; None: the cluster's default.
        annotations: for the load balancer's controller.
    """

    type: ServiceType = ServiceType.CLUSTER_IP
    node_port: int | None = None
    load_balancer_class: str | None = None
    annotations: Mapping[str, str] | None = None


class Tier(pulumi.ComponentResource, Generic[MachineSettings]):
    """A tier. Its children are complete, and its machines serve, when what depends on it begins."""

    tier: ClassVar[TierName]
    endpoint: ClassVar[Endpoint]

    def __init__(self, args: TierArgs[MachineSettings], opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(f"multi-tier:components:{self.tier.capitalize()}", self.tier, None, opts)
        self._args = args
        self._names = args.stack.names
        self._labels = self._names.labels(self.tier)

    def _metadata(self, name: str, annotations: Mapping[str, str] | None = None) -> dict[str, Any]:
        metadata = {"name": name, "namespace": self._names.namespace, "labels": self._labels}
        # An empty map would be a change in every preview.
        return {**metadata, "annotations": annotations} if annotations else metadata

    def _machine(
        self,
        index: int,
        user_data: pulumi.Output[str],
        data_disk: DataVolumeDisk | None = None,
        depends_on: Sequence[pulumi.Resource] = (),
    ) -> None:
        """Declare a machine and the Secret with its user data."""
        name = self._names.machine(self.tier, index)
        secret_name = f"{name}-cloud-init"
        secret = kubernetes.core.v1.Secret(
            f"{self.tier}-{index}-cloud-init",
            metadata=self._metadata(secret_name),
            type="Opaque",
            string_data={"userdata": user_data},
            opts=pulumi.ResourceOptions(parent=self),
        )
        machine = VirtualMachineArgs(
            name=name,
            namespace=self._names.namespace,
            labels=self._labels,
            selector=self._names.selector(self.tier),
            machine=self._args.machine,
            timeouts=self._args.stack.timeouts,
            user_data=user_data,
            user_data_secret=secret_name,
            readiness=self.endpoint.readiness,
            data_disk=data_disk,
            pod_labels=pod_labels(self._args.stack.mesh),
            pod_annotations=pod_annotations(self._args.stack.mesh),
        )
        # Named, not referred to by its outputs: a replaced Secret must not replace the machine by itself.
        opts = pulumi.ResourceOptions(parent=self, depends_on=[secret, *depends_on])
        virtual_machine(f"{self.tier}-{index}", machine, opts)

    def _tracing(self) -> TracingTarget | None:
        """Return where this tier's guests send spans, if anywhere."""
        return tracing_target(self._args.stack, self._names.service(self.tier))

    def _service(self, args: ServiceArgs | None = None) -> kubernetes.core.v1.Service:
        """Declare the Service, beside the machines.

        The provider would wait ten seconds after each change of its endpoints. That the machines are Ready says
        more, and sooner: their Pods are endpoints by then. A load balancer's address is waited for.
        """
        args = args or ServiceArgs()
        ports = {self.endpoint.port_name: self.endpoint.port}
        if self._args.stack.metrics.enabled:
            exporter = self.endpoint.exporter
            if exporter is None or has_exporter(self._args.machine.family, exporter):
                ports["metrics"] = self.endpoint.metrics_port
            ports["node-metrics"] = NODE_METRICS_PORT
        mesh = self._args.stack.mesh.enabled
        served, *others = (service_port(name, port, mesh=mesh) for name, port in ports.items())
        if args.node_port:
            served["node_port"] = args.node_port
        specification: dict[str, Any] = {
            "type": str(args.type),
            "selector": self._names.selector(self.tier),
            "ports": [served, *others],
        }
        if args.load_balancer_class:
            specification["load_balancer_class"] = args.load_balancer_class
        awaited = ADDRESS_AWAITED if args.type is ServiceType.LOAD_BALANCER else NOT_AWAITED
        ready = self._args.stack.timeouts.ready
        return kubernetes.core.v1.Service(
            f"{self.tier}-service",
            metadata=self._metadata(self._names.service(self.tier), {**(args.annotations or {}), **awaited}),
            spec=specification,
            opts=pulumi.ResourceOptions(
                parent=self,
                # The API server refuses to change it. The name is fixed, so the old Service has to go first.
                replace_on_changes=["spec.loadBalancerClass"],
                delete_before_replace=True,
                custom_timeouts=pulumi.CustomTimeouts(create=ready, update=ready),
            ),
        )


def service_port(name: str, port: int, target_port: int | None = None, *, mesh: bool) -> dict[str, Any]:
    """Return a Service's port.

    Args:
        name: its name, which begins with its protocol or is `postgresql`.
        port: what clients connect to.
        target_port: what the guests listen on; None: the same.
        mesh: whether a service mesh has to be told the protocol.
    """
    found = {"name": name, "port": port, "target_port": target_port or port, "protocol": "TCP"}
    return {**found, "app_protocol": app_protocol(name)} if mesh else found


def tracing_target(stack: Settings, service_name: str) -> TracingTarget | None:
    """Return where guests behind a Service send their spans; None where nothing is traced."""
    endpoint = stack.tracing.endpoint
    return TracingTarget(endpoint=endpoint, service_name=service_name) if endpoint else None
