"""A KubeVirt VirtualMachine that counts as created once it is ready."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pulumi
import pulumi_kubernetes as kubernetes

from components import disks
from components.settings.machines import Architecture, MachineSettings, TopologySpread
from components.settings.stack import TimeoutSettings

API_VERSION = "kubevirt.io/v1"
FIRMWARE_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_DNS, "multi-tier.kubevirt.io")
# A tier starts once the probes of the tier behind it succeed, so they are frequent.
PROBING = {"periodSeconds": 1, "timeoutSeconds": 2, "successThreshold": 1, "failureThreshold": 5}
# Time for PostgreSQL's shutdown checkpoint.
GRACE_SECONDS = 60
MACHINE_TYPES = {Architecture.AMD64: "q35", Architecture.ARM64: "virt"}
# What makes another machine. `runStrategy` doesn't: a machine that somebody stopped is started again.
REPLACING = ["spec.template", "spec.instancetype", "spec.preference", "spec.dataVolumeTemplates"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DataVolumeDisk:
    """A disk backed by a separate DataVolume, so that it outlives the machine.

    Attributes:
        data_volume: Name of the DataVolume.
        serial: Serial number, which gives the guest /dev/disk/by-id/virtio-<serial>.
    """

    data_volume: str
    serial: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VirtualMachineArgs:
    """One machine, or the machines of a pool.

    Attributes:
        name: Name of the VirtualMachine, and host name of the guest; or name of the VirtualMachinePool.
        namespace: Namespace of the VirtualMachine.
        labels: Labels of the VirtualMachine, its instances and their Pods.
        selector: Labels that select all machines of the tier.
        machine: Settings of the tier's machines.
        timeouts: How long creating and deleting may take.
        user_data: User data in the Secret.
        user_data_secret: Name of the Secret with the user data.
        network_data: Whether the Secret has network data, too.
        pooled: Whether these are the machines of a pool, so that nothing may be one machine's own.
        readiness: Handler of the readiness probe.
        data_disk: An additional disk, if any.
        service_account: Account of the instances' Pods; None: the namespace's default account.
        pod_labels: Additional labels of the instances and their Pods.
        pod_annotations: Annotations of the instances and their Pods.
    """

    name: str
    namespace: str
    labels: Mapping[str, str]
    selector: Mapping[str, str]
    machine: MachineSettings
    timeouts: TimeoutSettings
    user_data: pulumi.Output[str]
    user_data_secret: str
    network_data: bool
    pooled: bool = False
    readiness: Mapping[str, Any]
    data_disk: DataVolumeDisk | None = None
    service_account: str | None = None
    pod_labels: Mapping[str, str] = field(default_factory=dict)
    pod_annotations: Mapping[str, str] = field(default_factory=dict)


def virtual_machine(
    resource_name: str, args: VirtualMachineArgs, opts: pulumi.ResourceOptions
) -> kubernetes.apiextensions.CustomResource:
    """Declare a machine, which counts as created once its readiness probe succeeds."""
    options = pulumi.ResourceOptions(
        # cloud-init runs once per machine, and KubeVirt stages a changed template until the next restart, so a change
        # replaces the machine. The name is fixed, so the old machine has to be deleted first.
        replacement_trigger=fingerprint(args.user_data),
        replace_on_changes=REPLACING,
        delete_before_replace=True,
        custom_timeouts=pulumi.CustomTimeouts(
            create=args.timeouts.ready, update=args.timeouts.ready, delete=args.timeouts.delete
        ),
    )
    spec = specification(args)
    # `virtctl stop` changes `runStrategy` as another field manager, whose value the next update overrides.
    annotations = {"pulumi.com/waitFor": "condition=Ready", "pulumi.com/patchForce": "true"}
    if "dataVolumeTemplates" not in spec:
        # KubeVirt's finalizer keeps a machine until its instance and Pod are gone. Waiting for the garbage collector as
        # well takes a third longer; only root disks need it, because the next machine reuses their names.
        annotations["pulumi.com/deletionPropagationPolicy"] = "background"
    return kubernetes.apiextensions.CustomResource(
        resource_name,
        api_version=API_VERSION,
        kind="VirtualMachine",
        metadata={
            "name": args.name,
            "namespace": args.namespace,
            "labels": args.labels,
            "annotations": annotations,
        },
        spec=spec,
        opts=pulumi.ResourceOptions.merge(opts, options),
    )


def fingerprint(user_data: pulumi.Output[str], machine: str = "") -> pulumi.Output[str]:
    """Return a hash that changes with the user data, and with what else makes a machine.

    It reveals nothing, because nobody can guess the token in the user data. It must not be a secret: the engine doesn't
    notice changes of a secret trigger, and the guest would keep its old user data.
    """
    return pulumi.Output.unsecret(user_data.apply(lambda text: hashlib.sha256(f"{machine}{text}".encode()).hexdigest()))


def specification(args: VirtualMachineArgs) -> dict[str, Any]:
    """Return the VirtualMachine's spec, including what KubeVirt's webhooks would otherwise add."""
    metadata = {"labels": {**args.labels, **args.pod_labels}}
    if args.pod_annotations:
        metadata["annotations"] = dict(args.pod_annotations)
    template = {"metadata": metadata, "spec": _instance(args)}
    spec: dict[str, Any] = {"runStrategy": "Always", "template": template}
    if args.machine.instancetype:
        spec["instancetype"] = {"kind": "VirtualMachineClusterInstancetype", "name": args.machine.instancetype}
    if args.machine.preference:
        spec["preference"] = {"kind": "VirtualMachineClusterPreference", "name": args.machine.preference}
    if source := disks.source(args.machine.root, args.machine.architecture):
        spec["dataVolumeTemplates"] = [_root_disk(args, source)]
    return spec


def _instance(args: VirtualMachineArgs) -> dict[str, Any]:
    """Return the spec of the VirtualMachineInstance."""
    devices: list[dict[str, Any]] = [
        {"name": "root", "disk": {"bus": "virtio"}},
        {"name": "cloudinit", "disk": {"bus": "virtio"}},
    ]
    secret = {"name": args.user_data_secret}
    seed = {"secretRef": secret, **({"networkDataSecretRef": secret} if args.network_data else {})}
    volumes: list[dict[str, Any]] = [
        {"name": "root", **_root_volume(args)},
        {"name": "cloudinit", "cloudInitNoCloud": seed},
    ]
    if args.data_disk:
        devices.append({"name": "data", "disk": {"bus": "virtio"}, "serial": args.data_disk.serial})
        volumes.append({"name": "data", "dataVolume": {"name": args.data_disk.data_volume}})
    if args.service_account:
        # KubeVirt runs the Pod as this account. It gives the guest its token as well: every volume is a disk.
        devices.append({"name": "identity", "disk": {"bus": "virtio"}})
        volumes.append({"name": "identity", "serviceAccount": {"serviceAccountName": args.service_account}})
    return {
        "architecture": str(args.machine.architecture),
        "domain": {
            **_size(args),
            **_firmware(args),
            "devices": {
                "disks": devices,
                "interfaces": [{"name": "default", **_mac_address(args), "masquerade": {}}],
                "rng": {},
                **_watchdog(args),
            },
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
    dimensions = args.machine.dimensions
    reserved = {"cpu": args.machine.cpu_request, "memory": args.machine.memory_request}
    requests = {resource: amount for resource, amount in reserved.items() if amount}
    return {
        "cpu": {"sockets": dimensions.vcpus, "cores": 1, "threads": 1},
        "memory": {"guest": dimensions.memory},
        **({"resources": {"requests": requests}} if requests else {}),
    }


def _placement(args: VirtualMachineArgs) -> dict[str, Any]:
    """Return what decides on the node of a machine, and on its eviction."""
    machine = args.machine
    # Declared, because a cluster's default of LiveMigrate would let no node drain that has a machine with a
    # ReadWriteOnce disk.
    placement: dict[str, Any] = {"evictionStrategy": str(machine.eviction_strategy)}
    if machine.node_selector:
        placement["nodeSelector"] = machine.node_selector
    if machine.tolerations:
        placement["tolerations"] = [one.model_dump(by_alias=True, exclude_unset=True) for one in machine.tolerations]
    if machine.spread is not TopologySpread.OFF:
        # Even for a single machine, because scaling out must not replace the machines that exist.
        spread = {
            "maxSkew": 1,
            "topologyKey": "kubernetes.io/hostname",
            "whenUnsatisfiable": str(machine.spread),
            "labelSelector": {"matchLabels": dict(args.selector)},
        }
        placement["topologySpreadConstraints"] = [spread]
    return placement


def _firmware(args: VirtualMachineArgs) -> dict[str, Any]:
    identity = str(_identity(args))
    firmware = {} if args.pooled else {"firmware": {"uuid": identity, "serial": identity}}
    return {"machine": {"type": MACHINE_TYPES[args.machine.architecture]}, **firmware}


def _identity(args: VirtualMachineArgs) -> uuid.UUID:
    """Return what identifies a machine. It is derived from the name, so that a preview without changes shows none."""
    return uuid.uuid5(FIRMWARE_NAMESPACE, f"{args.namespace}/{args.name}")


def _mac_address(args: VirtualMachineArgs) -> dict[str, str]:
    """Return the address of a machine's interface, locally administered, as only the machine's own Pod sees it.

    Without one, each new instance has another address, and a system that stays on its root disk, whose network is
    configured for the first one, has no network. Root disks of a pool don't stay.
    """
    if args.pooled:
        return {}
    return {"macAddress": ":".join(("02", *(f"{byte:02x}" for byte in _identity(args).bytes[:5])))}


def _watchdog(args: VirtualMachineArgs) -> dict[str, Any]:
    """Return the device that resets a machine whose guest hangs; KubeVirt has none for arm64."""
    if args.machine.architecture is not Architecture.AMD64:
        return {}
    return {"watchdog": {"name": "watchdog", "i6300esb": {"action": "reset"}}}


def _root_volume(args: VirtualMachineArgs) -> dict[str, Any]:
    root = args.machine.root
    if root.container_disk:
        return {"containerDisk": {"image": root.container_disk}}
    return {"dataVolume": {"name": _root_disk_name(args)}}


def _root_disk_name(args: VirtualMachineArgs) -> str:
    return f"{args.name}-root"


def _root_disk(args: VirtualMachineArgs, source: Mapping[str, Any]) -> dict[str, Any]:
    """Return the template of the root disk, which the VirtualMachine owns: cloud-init runs once on each."""
    return {
        "metadata": {"name": _root_disk_name(args), "labels": dict(args.labels)},
        "spec": {**source, "storage": disks.storage(args.machine.root)},
    }
