"""What a person needs to know of a stack that is up."""

from __future__ import annotations

from typing import Any

import pulumi

from components.names import TierName
from components.settings import Settings


def outputs(settings: Settings, external_url: pulumi.Output[str] | str | None = None) -> dict[str, Any]:
    """Return the stack's outputs, by name.

    Args:
        settings: those of the stack.
        external_url: the web tier's address from outside the cluster, where it is known.
    """
    names = settings.names
    replicas = {
        TierName.DATABASE: 1,
        TierName.APPLICATION: settings.application.replicas,
        TierName.WEB: settings.web.replicas,
    }
    if settings.load.enabled and settings.load.dedicated:
        replicas[TierName.LOAD] = 1
    services = f"/api/v1/namespaces/{names.namespace}/services"
    fate = "pulumi destroy leaves it" if settings.database.data_disk.keep else "pulumi destroy deletes it"
    shown: dict[str, Any] = {
        "url": f"http://{names.service_host(TierName.WEB)}/",
        "virtualMachines": {str(tier): names.machines(tier, count) for tier, count in replicas.items()},
        "dataDisk": f"DataVolume {names.data_disk}: {fate}",
        "watch": f"kubectl get vm,vmi -n {names.namespace} -l app.kubernetes.io/instance={names.name} -w",
        "request": f"kubectl get --raw {services}/{names.service(TierName.WEB)}:http/proxy/api/v1/accounts/1",
    }
    if external_url is not None:
        shown["externalUrl"] = external_url
    if settings.load.enabled:
        shown["measure"] = f"python -m measure run --namespace {names.namespace} --name {names.name}"
        shown["loadStatus"] = f"kubectl get --raw {services}/{names.load}:http/proxy/status"
    return shown
