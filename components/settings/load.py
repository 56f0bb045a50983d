"""The settings of the load, and of the gates that a measured run has to pass."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import Field
from pydantic.alias_generators import to_camel

from cloudinit import Profile
from components.names import TierName
from components.settings.machines import Machine
from components.settings.model import Contradiction, Model
from components.settings.values import (
    Connections,
    Duration,
    Flag,
    Milliseconds,
    ProfileName,
    RequestsPerSecond,
    Seed,
    Share,
    Weight,
)

# How high a profile that rises goes where load.peak isn't set.
PEAK_OF_RPS = 4
LARGEST_RPS = 100_000
RISING = (Profile.RAMP, Profile.STRESS, Profile.SPIKE)


class Mix(Model):
    """What the load asks for, by weight."""

    random: Weight = Field(default=80, description="Weight of requests for a random account.")
    hot: Weight = Field(default=15, description="Weight of requests for always the same account.")
    missing: Weight = Field(default=5, description="Weight of requests for an account that doesn't exist (404).")
    slow: Weight = Field(default=0, description="Weight of requests that sum a branch's 100,000 accounts.")
    write: Weight = Field(default=0, description="Weight of requests that change a balance, as pgbench does.")


class Load(Machine):
    """The load generator, and the machine of its own that it may have."""

    tier = TierName.LOAD

    enabled: Flag = Field(default=True, description="Whether load is generated.")
    dedicated: Flag = Field(
        default=False, description="Whether the generator has a machine of its own instead of a place on the first web."
    )
    profile: ProfileName = Field(
        default=Profile.CONSTANT, description="How the rate goes over time; each but constant and soak goes to peak."
    )
    rps: RequestsPerSecond = Field(
        default=50, description="Requests that arrive per second, whatever the answers take."
    )
    peak: RequestsPerSecond | None = Field(
        default=None, description="Highest rate of ramp, stress and spike; none: four times rps."
    )
    duration: Duration = Field(
        default="60s", description="Length of a measured run, and after which a profile begins anew."
    )
    concurrency: Connections = Field(
        default=20, description="Most requests in flight at a time; more wait, and their wait counts as latency."
    )
    mix: Mix = Field(default=Mix(), description="Kinds of requests, by weight.")
    seed: Seed = Field(default=1, description="The same seed asks for the same accounts in the same order.")

    @property
    def highest(self) -> int:
        """Peak, in requests per second."""
        return self.peak or min(self.rps * PEAK_OF_RPS, LARGEST_RPS)

    def contradictions(self) -> Iterator[Contradiction]:
        """Yield what doesn't go together in the load."""
        if self.dedicated:
            yield from super().contradictions()
        else:
            for field in sorted(set(Machine.model_fields) & self.model_fields_set):
                problem = "is for a machine of the generator's own: set load.dedicated to true, or remove it"
                yield Contradiction((f"load.{to_camel(field)}", "load.dedicated"), problem)
        yield from self._rates()
        if not any(self.mix.model_dump().values()):
            keys = ("load.mix", *(f"load.mix.{kind}" for kind in Mix.model_fields))
            yield Contradiction(keys, "has no weight above 0: nothing would be asked for")

    def _rates(self) -> Iterator[Contradiction]:
        if self.peak is not None and self.peak < self.rps:
            problem = f"is below load.rps {self.rps}: a peak is at least the rate that it rises from"
            yield Contradiction(("load.peak", "load.rps"), problem)
        key, rate = ("load.peak", self.highest) if self.profile in RISING else ("load.rps", self.rps)
        needed = -(-rate // 1000)
        if self.concurrency < needed:
            problem = f"cannot carry {key} {rate}: a request takes 1 ms or more, so {needed} or more are needed"
            yield Contradiction(("load.concurrency", key), problem)


class Percentiles(Model):
    """Longest times of a part of a request."""

    p95: Milliseconds | None = Field(
        default=None, description="Longest that this part may take in 95 % of requests, in ms."
    )
    p99: Milliseconds | None = Field(
        default=None, description="Longest that this part may take in 99 % of requests, in ms."
    )


class Gates(Model):
    """What a measured run has to reach to pass."""

    total: Percentiles = Field(default=Percentiles(), description="Whole requests, from when they were due.")
    web: Percentiles = Field(default=Percentiles(), description="The share of nginx and the network.")
    application: Percentiles = Field(default=Percentiles(), description="The application's own share.")
    database: Percentiles = Field(default=Percentiles(), description="The query.")
    error_rate: Share | None = Field(default=None, description="Largest share of requests without the right answer.")
    delivered_share: Share | None = Field(default=None, description="Smallest share of the asked requests to send.")

    def given(self) -> Iterator[str]:
        """Yield the dotted keys of the gates that are set."""
        for part, percentiles in self:
            if isinstance(percentiles, Percentiles):
                yield from (f"gates.{part}.{name}" for name, most in percentiles if most is not None)
            elif percentiles is not None:
                yield f"gates.{to_camel(part)}"
