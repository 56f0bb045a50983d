"""As many objects of one kind as asked for: machines as the project declares them, or ConfigMaps."""

import sys
from pathlib import Path
from typing import Any, cast

import pulumi
import pulumi_kubernetes as kubernetes

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from components.completion import await_resources
from components.machine_pool import machine_pool
from components.settings.pools import PoolSettings
from components.settings.stack import TimeoutSettings
from components.settings.tiers import WebSettings
from components.virtual_machine import VirtualMachineArgs, virtual_machine

NAME = "fleet"
USER_DATA = "#cloud-config\n"

config = pulumi.Config()
kind, count = config.require("kind"), config.require_int("count")


def not_started(args: pulumi.ResourceTransformationArgs) -> pulumi.ResourceTransformationResult:
    """Let a machine be created only: it doesn't start, and nothing waits for it."""
    properties = dict(args.props)
    spec, metadata = cast("dict[str, Any]", properties["spec"]), cast("dict[str, Any]", properties["metadata"])
    properties["spec"] = {**spec, "runStrategy": "Halted"}
    properties["metadata"] = {**metadata, "annotations": {**metadata["annotations"], "pulumi.com/skipAwait": "true"}}
    return pulumi.ResourceTransformationResult(properties, args.opts)


def arguments(name: str) -> VirtualMachineArgs:
    """Return what a machine is, or the machines of a pool are."""
    return VirtualMachineArgs(
        name=name,
        namespace=NAME,
        labels={"app": NAME},
        selector={"app": NAME},
        machine=WebSettings(),
        timeouts=TimeoutSettings(ready="60m"),
        user_data=pulumi.Output.from_input(USER_DATA),
        user_data_secret=NAME,
        network_data=False,
        pooled=kind == "pooled",
        readiness={"httpGet": {"path": "/ready", "port": 80}},
    )


await_resources()
metadata = {"name": NAME, "namespace": NAME}
secret = kubernetes.core.v1.Secret(NAME, metadata=metadata, string_data={"userdata": USER_DATA})
after = pulumi.ResourceOptions(depends_on=[secret])
if kind == "pooled":
    machine_pool(NAME, arguments(NAME), WebSettings(replicas=count, pool=PoolSettings(enabled=True)), after)
for number in range(count if kind != "pooled" else 0):
    name = f"{NAME}-{number}"
    if kind == "configmaps":
        kubernetes.core.v1.ConfigMap(name, metadata={**metadata, "name": name}, data={"number": str(number)})
    else:
        # In this process: a transform would be a call of the engine's for each machine.
        only = pulumi.ResourceOptions(transformations=[not_started] if kind == "created" else [])
        virtual_machine(name, arguments(name), pulumi.ResourceOptions.merge(after, only))
