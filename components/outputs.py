"""The stack outputs: where a deployed stack is, and the commands to use it."""

from __future__ import annotations

from typing import Any

import pulumi

from components.names import TierName
from components.settings import Settings


def outputs(settings: Settings, external_url: pulumi.Output[str] | str | None = None) -> dict[str, Any]:
    """Return the stack's outputs, by name.

    Args:
        settings: Settings of the stack.
        external_url: URL of the web tier from outside the cluster, if it is known.
    """
    names = settings.names
    services = f"/api/v1/namespaces/{names.namespace}/services"
    fate = "keeps it" if settings.database.data_disk.keep else "deletes it"
    shown: dict[str, Any] = {
        "url": f"http://{names.service_host(TierName.WEB)}/",
        "virtualMachines": {str(tier): machines for tier, machines in settings.machine_names.items()},
        "dataDisk": f"DataVolume {names.data_disk}: pulumi destroy {fate}",
        "watch": f"kubectl get vm,vmi -n {names.namespace} -l app.kubernetes.io/instance={names.name} -w",
        "request": f"kubectl get --raw {services}/{names.service(TierName.WEB)}:http/proxy/api/v1/accounts/1",
    }
    if settings.instances > 1:
        # Everything else is about the first one.
        shown["instances"] = [one.name for one in settings.each]
    if external_url is not None:
        shown["externalUrl"] = external_url
    if settings.load.enabled:
        shown["measure"] = f".venv/bin/python -m measure run --namespace {names.namespace} --name {names.name}"
        shown["loadStatus"] = f"kubectl get --raw {services}/{names.load}:http/proxy/status"
    return shown
