"""Settings of pools: a tier's machines as one VirtualMachinePool, and how it scales."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from pydantic import Field

from components.settings.model import Contradiction, Model

Replicas = Annotated[int, Field(ge=1, le=1000)]


class Autoscaling(Model):
    """A HorizontalPodAutoscaler of the pool. The tier's `replicas` are the fewest machines that it keeps."""

    max_replicas: Replicas = Field(description="Highest number of machines.")
    target_cpu: Annotated[int, Field(ge=1, le=1000)] = Field(
        default=70, description="CPU usage to aim at: a percentage of cpuRequest, averaged over the machines."
    )


class PoolSettings(Model):
    """A VirtualMachinePool."""

    enabled: bool = Field(
        default=False,
        description="Whether KubeVirt keeps the tier's machines as a VirtualMachinePool, instead of Pulumi one by one.",
    )
    autoscaling: Autoscaling | None = Field(
        default=None,
        description="HorizontalPodAutoscaler of the pool, which never leaves fewer machines than replicas. Defaults to "
        "none.",
    )

    def contradictions(self) -> Iterator[Contradiction]:
        """Yield an autoscaler without a pool."""
        if self.autoscaling and not self.enabled:
            yield Contradiction("autoscaling", "needs enabled true: only a pool can be scaled by the cluster")
