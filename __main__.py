"""Three linked tiers of virtual machines on KubeVirt, with load through all of them."""

import pulumi
import pulumi_kubernetes as kubernetes

from components import configuration
from components.application import Application, ApplicationArgs
from components.credentials import Credentials
from components.database import Database, DatabaseArgs
from components.load import Load, LoadArgs
from components.outputs import outputs
from components.web import Web, WebArgs

settings = configuration.load()
names, timeouts = settings.names, settings.timeouts

place: list[pulumi.Resource] = []
if settings.create_namespace:
    metadata = {"name": names.namespace, "labels": names.labels("namespace")}
    place = [kubernetes.core.v1.Namespace("namespace", metadata=metadata)]

credentials = Credentials(names, pulumi.ResourceOptions(depends_on=place))

database = Database(
    DatabaseArgs(names=names, settings=settings.database, timeouts=timeouts, password=credentials.password),
    pulumi.ResourceOptions(depends_on=[*place, credentials]),
)

application = Application(
    ApplicationArgs(names=names, settings=settings.application, timeouts=timeouts, password=credentials.password),
    pulumi.ResourceOptions(depends_on=[*place, database]),
)

load = None
if settings.load.enabled:
    load = Load(
        LoadArgs(names=names, settings=settings.load, accounts=settings.database.accounts),
        pulumi.ResourceOptions(depends_on=place),
    )

web = Web(
    WebArgs(names=names, settings=settings.web, timeouts=timeouts, load_plan=load.source if load else None),
    pulumi.ResourceOptions(depends_on=[*place, application, *([load] if load else [])]),
)

for name, value in outputs(settings).items():
    pulumi.export(name, value)
