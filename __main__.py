"""Three linked tiers of virtual machines on KubeVirt, with load through all of them."""

import pulumi
import pulumi_kubernetes as kubernetes

from components.application import Application, ApplicationArgs
from components.credentials import Credentials
from components.database import Database, DatabaseArgs
from components.load import Load, LoadArgs
from components.load_plan import LoadPlan
from components.mesh import namespace_labels
from components.monitoring import Monitoring
from components.network_policies import NetworkPolicies
from components.outputs import outputs
from components.settings import configuration
from components.web import Web, WebArgs

settings = configuration.load()
names = settings.names

place: list[pulumi.Resource] = []
if settings.create_namespace:
    labels = {**names.labels("namespace"), **namespace_labels(settings.mesh)}
    metadata = {"name": names.namespace, "labels": labels}
    place = [kubernetes.core.v1.Namespace("namespace", metadata=metadata)]
if settings.network_policies.enabled:
    place = [*place, NetworkPolicies(settings, pulumi.ResourceOptions(depends_on=place))]

credentials = Credentials(names, pulumi.ResourceOptions(depends_on=place))

database = Database(
    DatabaseArgs(stack=settings, machine=settings.database, password=credentials.password),
    pulumi.ResourceOptions(depends_on=[*place, credentials]),
)

application = Application(
    ApplicationArgs(stack=settings, machine=settings.application, password=credentials.password),
    pulumi.ResourceOptions(depends_on=[*place, database]),
)

plan = LoadPlan(settings, pulumi.ResourceOptions(depends_on=place)) if settings.load.enabled else None
on_web = None if settings.load.dedicated or not plan else plan

web = Web(
    WebArgs(stack=settings, machine=settings.web, generator=on_web.generator if on_web else None),
    pulumi.ResourceOptions(depends_on=[*place, application, *([on_web] if on_web else [])]),
)

if plan and not on_web:
    Load(
        LoadArgs(stack=settings, machine=settings.load, generator=plan.generator),
        pulumi.ResourceOptions(depends_on=[*place, plan, web]),
    )

if settings.metrics.service_monitors:
    Monitoring(names, pulumi.ResourceOptions(depends_on=place))

for name, value in outputs(settings, web.external_url).items():
    pulumi.export(name, value)
