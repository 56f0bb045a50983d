"""As many objects of one kind as asked for: machines as the project declares them, or ConfigMaps."""

import sys
from pathlib import Path
from typing import Any, cast

import pulumi
import pulumi_kubernetes as kubernetes

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from components.completion import await_resources
from components.settings.machines import WebSettings
from components.settings.stack import TimeoutSettings
from components.virtual_machine import VirtualMachineArgs, virtual_machine

NAME = "fleet"
USER_DATA = "#cloud-config\n"

config = pulumi.Config()
kind, count = config.require("kind"), config.require_int("count")


def not_started(args: pulumi.ResourceTransformArgs) -> pulumi.ResourceTransformResult:
    """Let a machine be created only: it doesn't start, and nothing waits for it."""
    properties = dict(args.props)
    spec, metadata = cast("dict[str, Any]", properties["spec"]), cast("dict[str, Any]", properties["metadata"])
    properties["spec"] = {**spec, "runStrategy": "Halted"}
    properties["metadata"] = {**metadata, "annotations": {"pulumi.com/skipAwait": "true"}}
    return pulumi.ResourceTransformResult(properties, args.opts)


def machine(name: str) -> None:
    """Declare a machine."""
    args = VirtualMachineArgs(
        name=name,
        namespace=NAME,
        labels={"app": NAME},
        selector={"app": NAME},
        machine=WebSettings(),
        timeouts=TimeoutSettings(),
        user_data=pulumi.Output.from_input(USER_DATA),
        user_data_secret=NAME,
        network_data=False,
        readiness={"httpGet": {"path": "/ready", "port": 80}},
    )
    options = pulumi.ResourceOptions(transforms=[not_started] if kind == "created" else [], depends_on=[secret])
    virtual_machine(name, args, options)


await_resources()
metadata = {"name": NAME, "namespace": NAME}
secret = kubernetes.core.v1.Secret(NAME, metadata=metadata, string_data={"userdata": USER_DATA})
for number in range(count):
    name = f"{NAME}-{number}"
    if kind == "configmaps":
        kubernetes.core.v1.ConfigMap(name, metadata={**metadata, "name": name}, data={"number": str(number)})
    else:
        machine(name)
