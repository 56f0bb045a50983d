"""A tier's machines as one KubeVirt VirtualMachinePool, which KubeVirt scales, repairs and rolls."""

from __future__ import annotations

import asyncio
import json
import math
import time
from collections.abc import Mapping
from typing import Any

import pulumi
import pulumi_kubernetes as kubernetes

from components.cluster import provider_api
from components.settings.pools import Autoscaling
from components.settings.tiers import ReplicatedSettings
from components.settings.values import seconds_of
from components.virtual_machine import VirtualMachineArgs, fingerprint, specification
from kube.client import Api
from kube.resources import VIRTUAL_MACHINE_INSTANCES, VIRTUAL_MACHINES, Object

API_VERSION = "pool.kubevirt.io/v1beta1"
# Annotation of instances. KubeVirt restarts those of a pool whose template differs, but a Secret is not part of it.
FINGERPRINT = "multi-tier.kubevirt.io/machine-hash"
POLL_SECONDS = 1.0
SHOWN = 3


def machine_pool(
    resource_name: str, args: VirtualMachineArgs, settings: ReplicatedSettings, opts: pulumi.ResourceOptions
) -> pulumi.Resource:
    """Declare a pool, which counts as created once its machines are ready, and as changed once all of them are new."""
    metadata: dict[str, Any] = {"namespace": args.namespace, "labels": args.labels}
    # The machines with the highest numbers go first: the one that a fault affects is always number 0.
    order = {"selectionPolicy": {"sortPolicy": "DescendingOrder"}}
    unavailable = settings.max_unavailable
    spec: dict[str, Any] = {
        "replicas": settings.replicas,
        "selector": {"matchLabels": dict(args.selector)},
        "virtualMachineTemplate": {"metadata": {"labels": dict(args.labels)}, "spec": _template(args)},
        "maxUnavailable": unavailable if unavailable.endswith("%") else int(unavailable),
        "updateStrategy": {"proactive": order},
        "scaleInStrategy": {"proactive": order},
    }
    # Each machine drains, and the next one follows once its successor is ready.
    rounds = math.ceil(settings.most / settings.most_unavailable)
    ready = seconds_of(args.timeouts.ready)
    options = pulumi.ResourceOptions(
        custom_timeouts=pulumi.CustomTimeouts(
            create=args.timeouts.ready, update=args.timeouts.ready, delete=args.timeouts.delete
        ),
        # The autoscaler changes it.
        ignore_changes=["spec.replicas"] if settings.pool.autoscaling else None,
        hooks=_rolled(args, rounds * ready),
    )
    pool = kubernetes.apiextensions.CustomResource(
        resource_name,
        api_version=API_VERSION,
        kind="VirtualMachinePool",
        # A filter, because an autoscaler may have made more than these.
        metadata={
            **metadata,
            "name": args.name,
            # Without an autoscaler, the next update overrides what somebody has scaled.
            "annotations": {
                "pulumi.com/waitFor": f"jsonpath={{$[?@.readyReplicas > {settings.replicas - 1}]}}",
                "pulumi.com/patchForce": "true",
            },
        },
        spec=spec,
        opts=pulumi.ResourceOptions.merge(opts, options),
    )
    if settings.pool.autoscaling:
        _autoscaler(f"{resource_name}-autoscaler", args, settings.replicas, settings.pool.autoscaling, opts, pool)
    return pool


def _template(args: VirtualMachineArgs) -> dict[str, Any]:
    """Return the spec of the machines, with an annotation that changes whenever they have to be restarted."""
    spec = specification(args)
    template = spec["template"]
    metadata = template["metadata"]
    mark = {FINGERPRINT: fingerprint(args.user_data, json.dumps(template, sort_keys=True))}
    annotations = {**metadata.get("annotations", {}), **mark}
    return {**spec, "template": {**template, "metadata": {**metadata, "annotations": annotations}}}


def _autoscaler(
    resource_name: str,
    args: VirtualMachineArgs,
    fewest: int,
    scaling: Autoscaling,
    opts: pulumi.ResourceOptions,
    pool: pulumi.Resource,
) -> None:
    # Of the container with the guest: the others use next to nothing, and not all of them reserve CPU time.
    usage = {
        "name": "cpu",
        "container": "compute",
        "target": {"type": "Utilization", "average_utilization": scaling.target_cpu},
    }
    kubernetes.autoscaling.v2.HorizontalPodAutoscaler(
        resource_name,
        metadata={"name": args.name, "namespace": args.namespace, "labels": args.labels},
        spec={
            "scale_target_ref": {"api_version": API_VERSION, "kind": "VirtualMachinePool", "name": args.name},
            "min_replicas": fewest,
            "max_replicas": scaling.max_replicas,
            "metrics": [{"type": "ContainerResource", "container_resource": usage}],
        },
        opts=pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(depends_on=[pool])),
    )


def _rolled(args: VirtualMachineArgs, seconds: float) -> pulumi.ResourceHookBinding:
    """Return the hook that awaits the end of a rolling change, of which a pool's status says nothing."""

    async def after_update(arguments: pulumi.ResourceHookArgs) -> None:
        spec: Any = (arguments.new_inputs or {})["spec"]
        wanted = spec["virtualMachineTemplate"]["spec"]["template"]["metadata"]["annotations"][FINGERPRINT]
        deadline = time.monotonic() + seconds
        while late := await asyncio.to_thread(_late, args, wanted):
            if time.monotonic() > deadline:
                names = ", ".join(late[:SHOWN]) + (f" and {len(late) - SHOWN} more" if len(late) > SHOWN else "")
                raise TimeoutError(
                    f"VirtualMachinePool {args.name}: after {seconds:.0f} s, not changed or not ready: {names}. "
                    "KubeVirt goes on; another `pulumi up` doesn't wait for it. "
                    f"See why: kubectl describe vmi -n {args.namespace} {late[0]}"
                )
            await asyncio.sleep(POLL_SECONDS)

    return pulumi.ResourceHookBinding(after_update=[pulumi.ResourceHook(f"{args.name}-rolled", after_update)])


def _late(args: VirtualMachineArgs, wanted: str) -> list[str]:
    """Return the pool's machines that have not changed, or are not ready."""
    with provider_api() as api:
        return late(api, args.name, args.namespace, args.selector, wanted)


def late(api: Api, pool: str, namespace: str, selector: Mapping[str, str], wanted: str) -> list[str]:
    """Return a pool's machines without a ready instance that has the wanted hash."""
    labels = ",".join(f"{name}={value}" for name, value in selector.items())
    machines, instances = (
        {
            item["metadata"]["name"]: item
            for item in api.list(resource, namespace, labels=labels)[0]
            if item["metadata"]["name"].startswith(f"{pool}-")
        }
        for resource in (VIRTUAL_MACHINES, VIRTUAL_MACHINE_INSTANCES)
    )
    return sorted(name for name in machines if not _is_new(instances.get(name), wanted))


def _is_new(instance: Object | None, wanted: str) -> bool:
    if instance is None or "deletionTimestamp" in instance["metadata"]:
        return False
    conditions = instance.get("status", {}).get("conditions", ())
    ready = any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)
    return ready and (instance["metadata"].get("annotations") or {}).get(FINGERPRINT) == wanted
