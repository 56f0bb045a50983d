"""A linked three-tier application on KubeVirt virtual machines, with measured load through all tiers."""

import pulumi
import pulumi_kubernetes as kubernetes

from components import configuration
from components.completion import await_resources
from components.credentials import Credentials
from components.instance import instances
from components.mesh import namespace_labels
from components.outputs import outputs

settings = configuration.load()
await_resources()
names = settings.names
# Its hooks make sure that everything that follows takes over nothing.
credentials = Credentials(settings)
shared = []
if settings.create_namespace:
    chosen = settings.namespace_metadata
    labels = {**(chosen.labels or {}), **names.labels("namespace"), **namespace_labels(settings.mesh)}
    annotations = {"annotations": chosen.annotations} if chosen.annotations else {}
    metadata = {"name": names.namespace, "labels": labels, **annotations}
    options = pulumi.ResourceOptions(depends_on=[credentials.generated])
    shared.append(kubernetes.core.v1.Namespace("namespace", metadata=metadata, opts=options))

first, *_ = instances(settings, credentials, shared)
for name, value in outputs(settings, first.external_url).items():
    pulumi.export(name, value)
