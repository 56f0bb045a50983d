"""A KubeVirt VirtualMachine that counts as created when it serves."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pulumi
import pulumi_kubernetes as kubernetes

from components.settings.machines import Machine
from components.settings.placement import TopologySpread
from components.settings.stack import Timeouts

API_VERSION = "kubevirt.io/v1"
FIRMWARE_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_DNS, "multi-tier.kubevirt.io")
# Guests poll for what they need, so a tier's start is as quick as its probe is frequent.
PROBING = {"periodSeconds": 1, "timeoutSeconds": 2, "successThreshold": 1, "failureThreshold": 5}
# PostgreSQL writes a checkpoint before it stops.
GRACE_SECONDS = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class DataVolumeDisk:
    """A disk that a DataVolume of its own holds, so that it outlives the machine.

    Attributes:
        data_volume: name of the DataVolume.
        serial: the guest finds the disk at /dev/disk/by-id/virtio-<serial>.
    """

    data_volume: str
    serial: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VirtualMachineArgs:
    """What one machine is.

    Attributes:
        name: its name, and its guest's host name.
        namespace: the namespace it lives in.
        labels: labels of the VirtualMachine, its instances and their Pods.
        selector: the labels that all machines of the tier have.
        machine: size, root disk, family and placement, from the settings.
        timeouts: how long it may take to serve, and to go.
        user_data: the cloud-config that the Secret holds.
        user_data_secret: name of the Secret with the user data.
        readiness: the handler of its readiness probe.
        data_disk: one more disk, if any.
        pod_labels: more labels of its instances and their Pods alone.
        pod_annotations: annotations of its instances and their Pods.
    """

    name: str
    namespace: str
    labels: Mapping[str, str]
    selector: Mapping[str, str]
    machine: Machine
    timeouts: Timeouts
    user_data: pulumi.Output[str]
    user_data_secret: str
    readiness: Mapping[str, Any]
    data_disk: DataVolumeDisk | None = None
    pod_labels: Mapping[str, str] = field(default_factory=dict)
    pod_annotations: Mapping[str, str] = field(default_factory=dict)


def virtual_machine(
    resource_name: str, args: VirtualMachineArgs, opts: pulumi.ResourceOptions
) -> kubernetes.apiextensions.CustomResource:
    """Declare a machine, which is created when its readiness probe succeeds."""
    # A SHA-256 of a text with a 190-bit password in it gives nothing of it away. It may not be a secret: the engine
    # doesn't see a secret trigger change, and the guest would go on with its old user data.
    trigger = pulumi.Output.unsecret(args.user_data.apply(lambda text: hashlib.sha256(text.encode()).hexdigest()))
    options = pulumi.ResourceOptions(
        # cloud-init runs once a machine, and KubeVirt would keep a changed template for the next restart:
        # what is changed in either is a new machine. Its name is fixed, so the old one has to go first.
        replacement_trigger=trigger,
        replace_on_changes=["spec"],
        delete_before_replace=True,
        custom_timeouts=pulumi.CustomTimeouts(
            create=args.timeouts.ready, update=args.timeouts.ready, delete=args.timeouts.delete
        ),
    )
    return kubernetes.apiextensions.CustomResource(
        resource_name,
        api_version=API_VERSION,
        kind="VirtualMachine",
        metadata={
            "name": args.name,
            "namespace": args.namespace,
            "labels": args.labels,
            "annotations": {"pulumi.com/waitFor": "condition=Ready"},
        },
        spec=_specification(args),
        opts=pulumi.ResourceOptions.merge(opts, options),
    )


def _specification(args: VirtualMachineArgs) -> dict[str, Any]:
    """Return the VirtualMachine's spec, with all that KubeVirt's webhooks would otherwise fill in."""
    metadata = {"labels": {**args.labels, **args.pod_labels}}
    if args.pod_annotations:
        metadata["annotations"] = dict(args.pod_annotations)
    template = {"metadata": metadata, "spec": _instance(args)}
    spec: dict[str, Any] = {"runStrategy": "Always", "template": template}
    if args.machine.instancetype:
        spec["instancetype"] = {"kind": "VirtualMachineClusterInstancetype", "name": args.machine.instancetype}
    if args.machine.preference:
        spec["preference"] = {"kind": "VirtualMachineClusterPreference", "name": args.machine.preference}
    if source := args.machine.root.data_volume_source:
        spec["dataVolumeTemplates"] = [_root_disk(args, source)]
    return spec


def _instance(args: VirtualMachineArgs) -> dict[str, Any]:
    """Return the spec of the VirtualMachineInstance."""
    disks: list[dict[str, Any]] = [
        {"name": "root", "disk": {"bus": "virtio"}},
        {"name": "cloudinit", "disk": {"bus": "virtio"}},
    ]
    volumes: list[dict[str, Any]] = [
        {"name": "root", **_root_volume(args)},
        {"name": "cloudinit", "cloudInitNoCloud": {"secretRef": {"name": args.user_data_secret}}},
    ]
    if args.data_disk:
        disks.append({"name": "data", "disk": {"bus": "virtio"}, "serial": args.data_disk.serial})
        volumes.append({"name": "data", "dataVolume": {"name": args.data_disk.data_volume}})
    return {
        "architecture": "amd64",
        "domain": {
            **_size(args),
            **_firmware(args),
            "devices": {"disks": disks, "interfaces": [{"name": "default", "masquerade": {}}], "rng": {}},
        },
        "networks": [{"name": "default", "pod": {}}],
        "volumes": volumes,
        "readinessProbe": {**args.readiness, **PROBING},
        "terminationGracePeriodSeconds": GRACE_SECONDS,
        **_placement(args),
    }


def _size(args: VirtualMachineArgs) -> dict[str, Any]:
    if args.machine.instancetype:
        return {}
    dimensions, requests = args.machine.dimensions, args.machine.requests
    return {
        "cpu": {"sockets": dimensions.vcpus, "cores": 1, "threads": 1},
        "memory": {"guest": dimensions.memory},
        **({"resources": {"requests": requests}} if requests else {}),
    }


def _placement(args: VirtualMachineArgs) -> dict[str, Any]:
    """Return what the scheduler is told, and a node that is drained."""
    machine, placement = args.machine, dict[str, Any]()
    if machine.node_selector:
        placement["nodeSelector"] = machine.node_selector
    if machine.tolerations:
        placement["tolerations"] = machine.tolerations
    if machine.eviction_strategy:
        placement["evictionStrategy"] = str(machine.eviction_strategy)
    if machine.spread is not TopologySpread.OFF:
        # However many there are: one more machine must not replace the others.
        spread = {
            "maxSkew": 1,
            "topologyKey": "kubernetes.io/hostname",
            "whenUnsatisfiable": str(machine.spread),
            "labelSelector": {"matchLabels": dict(args.selector)},
        }
        placement["topologySpreadConstraints"] = [spread]
    return placement


def _firmware(args: VirtualMachineArgs) -> dict[str, Any]:
    # Derived from names, so that a preview of what nobody changed shows no change.
    identity = str(uuid.uuid5(FIRMWARE_NAMESPACE, f"{args.namespace}/{args.name}"))
    return {"machine": {"type": "q35"}, "firmware": {"uuid": identity, "serial": identity}}


def _root_volume(args: VirtualMachineArgs) -> dict[str, Any]:
    root = args.machine.root
    if root.container_disk:
        return {"containerDisk": {"image": root.container_disk}}
    return {"dataVolume": {"name": _root_disk_name(args)}}


def _root_disk_name(args: VirtualMachineArgs) -> str:
    return f"{args.name}-root"


def _root_disk(args: VirtualMachineArgs, source: Mapping[str, Any]) -> dict[str, Any]:
    """Return the template of a root disk, which the VirtualMachine owns: user data runs once on each."""
    return {
        "metadata": {"name": _root_disk_name(args), "labels": dict(args.labels)},
        "spec": {**source, "storage": args.machine.root.storage},
    }
