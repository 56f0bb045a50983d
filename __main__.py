"""A linked three-tier application on KubeVirt virtual machines, with measured load through all tiers."""

import pulumi
import pulumi_kubernetes as kubernetes

from components import configuration
from components.application import Application
from components.credentials import Credentials
from components.database import Database
from components.fault_plan import Faults
from components.load import Load
from components.load_configuration import LoadConfiguration
from components.mesh import namespace_labels
from components.monitoring import Monitoring
from components.network_policies import NetworkPolicies
from components.outputs import outputs
from components.service_mesh import ServiceMesh
from components.web import Web

settings = configuration.load()
names = settings.names
# Its hooks make sure that everything that follows takes over nothing.
credentials = Credentials(settings)
shared: list[pulumi.Resource] = [credentials.generated]


def after(*resources: pulumi.Resource | None) -> pulumi.ResourceOptions:
    """Return the options of a component that depends on these resources, and on the shared ones."""
    return pulumi.ResourceOptions(depends_on=[*shared, *(resource for resource in resources if resource)])


if settings.create_namespace:
    chosen = settings.namespace_metadata
    labels = {**(chosen.labels or {}), **names.labels("namespace"), **namespace_labels(settings.mesh)}
    annotations = {"annotations": chosen.annotations} if chosen.annotations else {}
    metadata = {"name": names.namespace, "labels": labels, **annotations}
    shared.append(kubernetes.core.v1.Namespace("namespace", metadata=metadata, opts=after()))
if settings.network_policies.enabled:
    shared.append(NetworkPolicies(settings, [Database, Application, Web], after()))
if settings.mesh.enabled:
    shared.append(ServiceMesh(settings, [Database, Application, Web], after()))

credentials.store(after())
database = Database(settings, after(credentials))
application = Application(settings, after(database))

load = LoadConfiguration(settings, after()) if settings.load.enabled else None
if load and settings.load.dedicated:
    web = Web(settings, None, after(application))
    Load(settings, load.generator, after(load, web))
else:
    web = Web(settings, load.generator if load else None, after(application, load))

Faults(settings, after(web))  # last: no fault disturbs the creation of the machines
if settings.metrics.service_monitors:
    Monitoring(names, after())

for name, value in outputs(settings, web.external_url).items():
    pulumi.export(name, value)
