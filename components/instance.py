"""An instance: one three-tier application, in the order in which its parts start. A stack has one or more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi

from components.application import Application
from components.credentials import Credentials
from components.database import Database
from components.fault_plan import Faults
from components.load import Load
from components.load_configuration import LoadConfiguration
from components.monitoring import Monitoring
from components.network_policies import NetworkPolicies
from components.service_mesh import ServiceMesh
from components.settings import Settings
from components.settings.values import seconds_of
from components.web import Web


@dataclass(frozen=True, slots=True)
class Instance:
    """What a stack needs to know of an instance.

    Attributes:
        external_url: URL of its web tier from outside the cluster, if it is known.
        last: What exists once it serves.
    """

    external_url: pulumi.Output[str] | str | None
    last: Sequence[pulumi.Resource]


def instances(settings: Settings, credentials: Credentials, shared: Sequence[pulumi.Resource]) -> list[Instance]:
    """Declare a stack's instances, in waves.

    Args:
        settings: The stack's.
        credentials: Those of the first instance.
        shared: What exists before all of them.
    """
    size = settings.waves.size or settings.instances
    pause = seconds_of(settings.waves.pause) if settings.waves.pause else None
    found: list[Instance] = []
    for number, one in enumerate(settings.each):
        if number % size == 0:
            if number:
                before = [resource for instance in found[-size:] for resource in instance.last]
                credentials = Credentials(one, before, pause)
            leader = credentials
        else:
            # With the pause of the first one in its wave.
            credentials = Credentials(one, [leader.generated])
        found.append(_instance(one, credentials, shared))
    return found


def _instance(settings: Settings, credentials: Credentials, shared: Sequence[pulumi.Resource]) -> Instance:
    before: list[pulumi.Resource] = [credentials.generated, *shared]

    def after(*resources: pulumi.Resource | None) -> pulumi.ResourceOptions:
        """Return the options of a component that depends on these resources, and on what exists before the others."""
        return pulumi.ResourceOptions(depends_on=[*before, *(resource for resource in resources if resource)])

    if settings.network_policies.enabled:
        before.append(NetworkPolicies(settings, [Database, Application, Web], after()))
    if settings.mesh.enabled:
        before.append(ServiceMesh(settings, [Database, Application, Web], after()))

    credentials.store(after())
    database = Database(settings, [credentials], after())
    application = Application(settings, [database], after())

    load = LoadConfiguration(settings, after()) if settings.load.enabled else None
    last: list[pulumi.Resource] = []
    if load and settings.load.dedicated:
        web = Web(settings, None, [application], after())
        last.append(Load(settings, load.generator, [web], after(load)))
    else:
        web = Web(settings, load.generator if load else None, [application], after(load))

    last.append(Faults(settings, after(web)))  # no fault disturbs the creation of the machines
    if settings.metrics.service_monitors:
        Monitoring(settings.names, after())
    return Instance(web.external_url, last)
