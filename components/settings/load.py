"""Settings of the load, and of the gates that a measured run has to pass."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from pydantic import Field
from pydantic.alias_generators import to_camel

from cloudinit import LARGEST_SEED, Profile
from cloudinit.load_plan import LARGEST_CONCURRENCY, LARGEST_RPS, default_peak
from components.names import TierName
from components.settings.machines import MachineSettings
from components.settings.model import Contradiction, Model
from components.settings.values import Duration, Milliseconds, Share

RISING = (Profile.RAMP, Profile.STRESS, Profile.SPIKE)
"""The profiles that reach the peak."""
DEFAULT_CONCURRENCY = 20
RequestsPerSecond = Annotated[int, Field(ge=1, le=LARGEST_RPS)]
Weight = Annotated[int, Field(ge=0, le=1_000_000)]


class Mix(Model):
    """What the requests ask for, by weight."""

    random: Weight = Field(default=80, description="Weight of requests for a random account.")
    hot: Weight = Field(default=15, description="Weight of requests for one fixed account.")
    missing: Weight = Field(default=5, description="Weight of requests for an account that doesn't exist (404).")
    slow: Weight = Field(default=0, description="Weight of requests that sum the 100,000 accounts of a branch.")
    write: Weight = Field(default=0, description="Weight of requests that update a balance, as pgbench does.")

    def contradictions(self) -> Iterator[Contradiction]:
        """Yield a mix without any requests."""
        if not any(self.model_dump().values()):
            yield Contradiction("", "needs a weight above 0: no request could be sent")


class LoadSettings(MachineSettings):
    """The load generator, and its machine if it has its own."""

    enabled: bool = Field(default=True, description="Whether load is generated.")
    dedicated: bool = Field(
        default=False, description="Whether the generator runs on its own machine instead of the first web machine."
    )
    profile: Profile = Field(
        default=Profile.CONSTANT, description="Shape of the rate over time; ramp, stress and spike rise to peak."
    )
    rps: RequestsPerSecond = Field(
        default=50,
        description="Requests scheduled per second, however long the responses take (open model).",
    )
    peak: RequestsPerSecond | None = Field(
        default=None, description="Highest rate of ramp, stress and spike. Defaults to four times rps."
    )
    duration: Duration = Field(
        default="60s",
        description="Length of the profile. A measured run ends after it; the continuous load repeats it.",
    )
    concurrency: int = Field(
        default=DEFAULT_CONCURRENCY,
        ge=1,
        le=LARGEST_CONCURRENCY,
        description="Maximum number of requests in flight. Others wait, and the wait counts as latency.",
    )
    mix: Mix = Field(default=Mix(), description="Kinds of requests, by weight.")
    seed: int = Field(
        default=1,
        ge=0,
        le=LARGEST_SEED,
        description="Seed of the random choices. The same seed requests the same accounts in the same order.",
    )

    @property
    def count(self) -> int:
        """Number of machines that the generator has to itself."""
        return int(self.enabled and self.dedicated)

    @property
    def tier(self) -> TierName:
        """The tier whose first machine runs the generator."""
        return TierName.LOAD if self.dedicated else TierName.WEB

    @property
    def peak_rps(self) -> int:
        """The highest rate, chosen or default."""
        return self.peak or default_peak(self.rps)

    def contradictions(self) -> Iterator[Contradiction]:
        """Yield settings of a machine that doesn't exist, and rates that are out of reach."""
        if self.dedicated:
            yield from super().contradictions()
        else:
            for name in sorted(set(MachineSettings.model_fields) & self.model_fields_set):
                problem = "only applies to a dedicated machine: set dedicated to true, or remove it"
                yield Contradiction(to_camel(name), problem)
        if self.peak is not None and self.peak < self.rps:
            yield Contradiction("peak", f"is below rps {self.rps}: the rate rises from rps to peak")
        key, rate = ("peak", self.peak_rps) if self.profile in RISING else ("rps", self.rps)
        needed = -(-rate // 1000)
        if self.concurrency < needed:
            problem = f"can't sustain {key} {rate}: a request takes 1 ms or more, so it needs at least {needed}"
            yield Contradiction("concurrency", problem)


class Percentiles(Model):
    """Latency limits of one part of a request."""

    p95: Milliseconds | None = Field(
        default=None, description="Highest 95th percentile of this part's latency, in ms. Defaults to no limit."
    )
    p99: Milliseconds | None = Field(
        default=None, description="Highest 99th percentile of this part's latency, in ms. Defaults to no limit."
    )


class GateSettings(Model):
    """Limits that a measured run has to meet to pass."""

    total: Percentiles = Field(default=Percentiles(), description="Whole requests, from their scheduled start.")
    web: Percentiles = Field(default=Percentiles(), description="Time spent in nginx and on the network.")
    application: Percentiles = Field(default=Percentiles(), description="Time spent in the application itself.")
    database: Percentiles = Field(default=Percentiles(), description="Time spent in the query.")
    error_rate: Share | None = Field(
        default=None,
        description="Highest share of requests with a wrong response or none. Defaults to 0.01; 1 is no limit.",
    )
    delivered_share: Share | None = Field(
        default=None, description="Lowest share of the scheduled requests to send. Defaults to 0.99; 0 is no limit."
    )

    def given(self) -> Iterator[str]:
        """Yield the dotted keys of the gates that are set."""
        for name, value in self:
            if isinstance(value, Percentiles):
                yield from (f"{name}.{percentile}" for percentile, limit in value if limit is not None)
            elif value is not None:
                yield to_camel(name)
