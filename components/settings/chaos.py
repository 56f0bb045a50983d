"""Settings of chaos: faults that the guests inject, on a schedule."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from itertools import combinations
from typing import Annotated, Literal

from pydantic import Field

from cloudinit.fault_plan import Fault, Kind
from components.names import TierName
from components.settings.model import Contradiction, Model
from components.settings.values import PositivePercentage, Quantity, allowing, bytes_of, lasting, pattern, seconds_of

MOST_FAULTS = 20
BEHIND = {TierName.APPLICATION: TierName.DATABASE, TierName.WEB: TierName.APPLICATION}
"""The tier that each tier sends requests to."""

Time = Annotated[str, lasting(1, 24 * 3600), allowing('a duration from 1 second to a day, such as "5s" or "10m"')]
Start = Annotated[str, pattern(r"0s|[1-9][0-9]{0,4}[smh]"), allowing('a time such as "0s", "30s" or "2m"')]
Latency = Annotated[
    str, pattern(r"[1-9][0-9]{0,3}ms|[1-9]s|10s"), allowing('a time from 1 ms to 10 s, such as "50ms" or "2s"')
]


class Mode(StrEnum):
    """Which of a tier's machines have a fault; Chaos Mesh's words."""

    ALL = "all"
    ONE = "one"


class NetworkFault(Model):
    """What happens to the connections to the tier behind."""

    latency: Latency | None = Field(
        default=None, description="How much longer data takes to the tier behind. Defaults to no latency."
    )
    jitter: Latency | None = Field(
        default=None, description="How much the latency varies, up or down; at most the latency. Defaults to none."
    )
    loss: PositivePercentage | None = Field(
        default=None, description="Percentage of the packets that are lost, in each direction. Defaults to none."
    )
    bandwidth: Quantity | None = Field(
        default=None, description="Most bytes per second, in each direction. Defaults to no limit."
    )

    def contradictions(self) -> Iterator[Contradiction]:
        """Yield a fault without any effect, and a jitter that no latency can have."""
        if not self.model_fields_set:
            yield Contradiction("", "needs latency, loss or bandwidth: it would have no effect")
        if self.jitter and milliseconds(self.jitter) > milliseconds(self.latency or "0ms"):
            yield Contradiction("jitter", "is more than latency: data can't arrive before it was sent")


class StressFault(Model):
    """What the tier's machines don't have for the tier."""

    cpu: PositivePercentage | None = Field(
        default=None, description="Percentage of each CPU to use up. Defaults to none."
    )
    memory: Quantity | None = Field(default=None, description="Memory to use up. Defaults to none.")

    def contradictions(self) -> Iterator[Contradiction]:
        """Yield a fault without any effect, and one of two kinds."""
        if (self.cpu is None) == (self.memory is None):
            yield Contradiction("", "needs either cpu or memory: use two faults for both")


class DiskFault(Model):
    """What happens to the data disk."""

    fill: PositivePercentage | None = Field(
        default=None, description="Percentage of the data disk to be used. Defaults to none."
    )
    latency: Latency | None = Field(
        default=None, description="How long a write to the data disk waits at most. Defaults to none."
    )

    def contradictions(self) -> Iterator[Contradiction]:
        """Yield a fault without any effect, and one of two kinds."""
        if (self.fill is None) == (self.latency is None):
            yield Contradiction("", "needs either fill or latency: use two faults for both")


class FaultSettings(Model):
    """One fault: what happens to a tier, and when."""

    tier: Literal[TierName.DATABASE, TierName.APPLICATION, TierName.WEB] = Field(
        description="The tier whose machines have it."
    )
    mode: Mode = Field(default=Mode.ALL, description="Which machines of the tier: all, or one, the first.")
    network: NetworkFault | None = Field(
        default=None,
        description="Impair the network to the tier behind. Defaults to no such fault.",
    )
    process: Literal["kill", "freeze"] | None = Field(
        default=None, description="Kill or freeze all processes of the tier's service. Defaults to no such fault."
    )
    stress: StressFault | None = Field(
        default=None, description="Use up CPU time or memory of the machines. Defaults to no such fault."
    )
    disk: DiskFault | None = Field(
        default=None, description="Fill or slow the database's data disk. Defaults to no such fault."
    )
    start: Start = Field(default="0s", description="When it begins, from the start of the run.")
    duration: Time | None = Field(
        default=None, description="How long it lasts; required for all but kill, which takes no time."
    )
    repeat: int = Field(default=1, ge=1, le=1000, description="How often it begins.")
    interval: Time | None = Field(
        default=None, description="Time from one beginning to the next; required with repeat. Defaults to none."
    )

    def contradictions(self) -> Iterator[Contradiction]:
        """Yield what can't be injected, and what would have no certain end."""
        kinds = [name for name in ("network", "process", "stress", "disk") if getattr(self, name) is not None]
        if len(kinds) != 1:
            found = f"has {' and '.join(kinds)}: use a fault for each" if kinds else "needs a kind"
            yield Contradiction("", f"{found} (network, process, stress or disk)")
        if self.network and self.tier not in BEHIND:
            problem = "has no network fault, because no tier is behind it: use application for the network between both"
            yield Contradiction("tier", problem)
        if self.disk and self.tier is not TierName.DATABASE:
            yield Contradiction("tier", "has no data disk: only database has one")
        if self.process == "kill":
            if self.duration:
                yield Contradiction("duration", "has no effect: a kill takes no time; use repeat to kill again")
        elif not self.duration:
            yield Contradiction("duration", "is missing: every fault needs an end")
        if self.repeat > 1 and not self.interval:
            yield Contradiction("interval", f"is missing: the fault begins {self.repeat} times")
        if self.repeat == 1 and self.interval:
            yield Contradiction("interval", "needs repeat above 1")
        if self.interval and self.duration and seconds_of(self.interval) <= seconds_of(self.duration):
            yield Contradiction(
                "interval", f"is not longer than duration {self.duration}, so it would not end in between"
            )

    @property
    def fault(self) -> Fault:
        """The fault as guests read it."""
        kind, parameters, words = self._effect
        return Fault(
            title=f"{self.tier} {words}{' on one machine' if self.mode is Mode.ONE else ''}",
            tier=self.tier,
            kind=kind,
            start=0.0 if self.start == "0s" else seconds_of(self.start),
            duration=seconds_of(self.duration) if self.duration else 0.0,
            parameters=parameters,
            one=self.mode is Mode.ONE,
            repeat=self.repeat,
            interval=seconds_of(self.interval) if self.interval else 0.0,
        )

    @property
    def _effect(self) -> tuple[Kind, dict[str, float], str]:
        """Its kind, its parameters and both in words."""
        if one := self.network:
            times = {"latency": one.latency, "jitter": one.jitter}
            found = {name: milliseconds(value) / 1000 for name, value in times.items() if value}
            found |= {"loss": one.loss / 100} if one.loss else {}
            found |= {"bandwidth": float(bytes_of(one.bandwidth))} if one.bandwidth else {}
            words = {
                **times,
                "loss": one.loss and f"{one.loss:g}%",
                "bandwidth": one.bandwidth and f"{one.bandwidth}/s",
            }
            said = ", ".join(f"{name} {value}" for name, value in words.items() if value)
            return Kind.NETWORK, found, f"network: {said}"
        if stress := self.stress:
            if stress.cpu:
                return Kind.CPU, {"load": stress.cpu / 100}, f"stress: cpu {stress.cpu:g}%"
            return Kind.MEMORY, {"size": bytes_of(stress.memory or "0")}, f"stress: memory {stress.memory}"
        if disk := self.disk:
            if disk.fill:
                return Kind.DISK_FILL, {"fill": disk.fill / 100}, f"disk: fill {disk.fill:g}%"
            latency = disk.latency or "0ms"
            return Kind.DISK_LATENCY, {"latency": milliseconds(latency) / 1000}, f"disk: latency {latency}"
        return Kind(self.process), {}, f"process: {self.process}"


Faults = Annotated[list[FaultSettings], Field(max_length=MOST_FAULTS)]


class ChaosSettings(Model):
    """Faults that the guests inject."""

    faults: Faults = Field(
        default=[],
        description="Faults, each with its schedule within load.duration, which repeats as the load does. "
        "`measure chaos` injects them once, within its run. Empty: no chaos.",
    )

    def contradictions(self) -> Iterator[Contradiction]:
        """Yield faults that a machine can't have at the same time."""
        if not any(any(one.all_contradictions()) for one in self.faults):
            yield from conflicts(self.faults, "faults.{}")


def conflicts(faults: list[FaultSettings], key: str) -> Iterator[Contradiction]:
    """Yield faults that a machine can't have at the same time as an earlier one.

    Args:
        faults: The faults.
        key: Key of a fault, with a place for its number.
    """
    for (first, one), (second, other) in combinations(enumerate(faults), 2):
        if one.fault.conflicts_with(other.fault):
            problem = f"overlaps with fault {first} ({one.fault.title}), which excludes it: give them different times"
            yield Contradiction(key.format(second), problem)


def milliseconds(time: str) -> int:
    """Return a latency in milliseconds."""
    return int(time[:-2]) if time.endswith("ms") else int(time[:-1]) * 1000
