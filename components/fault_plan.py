"""The fault plan, which can change while the machines run, and the place of the guests' reports."""

from __future__ import annotations

import pulumi
import pulumi_kubernetes as kubernetes

from cloudinit.fault_plan import FaultPlan, render_fault_plan
from components.settings import Settings
from components.settings.values import seconds_of

COMPONENT = "faults"


class Faults(pulumi.ComponentResource):
    """Two ConfigMaps: the plan, empty without chaos, and the guests' reports.

    Neither is part of any user data, so that chaos is switched on and off without replacing a machine. Runs of
    `measure chaos` and the guests add keys of their own, which Pulumi leaves alone. Guests can't change the plan.
    """

    def __init__(self, settings: Settings, opts: pulumi.ResourceOptions | None = None) -> None:
        names = settings.names
        super().__init__("multi-tier:components:Faults", names.resource(COMPONENT), None, opts)
        faults = [one.fault for one in settings.chaos.faults]
        plan = FaultPlan(seconds=seconds_of(settings.load.duration), faults=faults)
        for resource_name, name, data in (
            ("fault-plan", names.faults, {"faults.json": render_fault_plan(plan)} if faults else None),
            ("fault-reports", names.fault_reports, None),
        ):
            metadata = {"name": name, "namespace": names.namespace, "labels": names.labels(COMPONENT)}
            kubernetes.core.v1.ConfigMap(
                names.resource(resource_name), metadata=metadata, data=data, opts=pulumi.ResourceOptions(parent=self)
            )
        self.register_outputs({})
