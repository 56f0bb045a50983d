"""The fault plan: which faults the guests inject, and when. The program, runs and the guests read and write it.

Guests get this same file (`files/faults/fault_plan.py` is a link to it). For Python 3.9 and later: database guests run
it too, with the Python of older distributions.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import Enum
from typing import Any

KILL_SECONDS = 5.0
"""How long after its time a kill may still happen."""


class Kind(str, Enum):  # noqa: UP042
    """What a fault does; at any time, a machine has at most one fault of each kind."""

    NETWORK = "network"  # latency, jitter, loss, bandwidth
    KILL = "kill"
    FREEZE = "freeze"
    CPU = "cpu"  # load
    MEMORY = "memory"  # size
    DISK_FILL = "disk-fill"  # fill
    DISK_LATENCY = "disk-latency"  # latency


@dataclass(frozen=True)
class Fault:
    """A fault of one tier's machines.

    Attributes:
        title: The fault in words, by which reports and metrics call it.
        tier: The tier.
        kind: What it does.
        start: Seconds from the start of the plan until it begins for the first time.
        duration: Seconds until it ends; 0 for a kill.
        parameters: How much of it: seconds, bytes, bytes per second, shares from 0 to 1.
        one: Whether only the tier's first machine has it.
        repeat: How often it begins.
        interval: Seconds from one beginning to the next.
    """

    title: str
    tier: str
    kind: Kind
    start: float
    duration: float
    parameters: Mapping[str, float] = field(default_factory=dict)
    one: bool = False
    repeat: int = 1
    interval: float = 0.0

    @property
    def spans(self) -> Iterator[tuple[float, float]]:
        """When it begins and ends, each time, in seconds from the start of the plan."""
        for number in range(self.repeat):
            begin = self.start + number * self.interval
            yield begin, begin + self.duration

    @property
    def end(self) -> float:
        """Seconds from the start of the plan until it has ended for the last time."""
        return self.start + (self.repeat - 1) * self.interval + self.duration

    def conflicts_with(self, other: Fault) -> bool:
        """Return whether a machine would have both at the same time although it can't."""
        if self.tier != other.tier or not _excluding(self.kind, other.kind):
            return False
        return any(
            begin < other_end and other_begin < end
            for begin, end in _occupied(self)
            for other_begin, other_end in _occupied(other)
        )


def _excluding(one: Kind, other: Kind) -> bool:
    return one is other or {one, other} == {Kind.KILL, Kind.FREEZE}


def _occupied(fault: Fault) -> Iterator[tuple[float, float]]:
    for begin, end in fault.spans:
        yield begin, max(end, begin + 1)


@dataclass(frozen=True)
class FaultPlan:
    """Faults, and the time that they count from.

    Attributes:
        seconds: Length of the run, or of the stack's load profile.
        faults: The faults.
        run: The measuring run that it belongs to; empty for the stack's own plan, which starts anew every `seconds`.
        started: Unix time of the run's start. The stack's own plan starts at multiples of `seconds`, on all machines.
    """

    seconds: float
    faults: Sequence[Fault]
    run: str = ""
    started: float = 0.0


@dataclass(frozen=True)
class Occurrence:
    """One time that a fault begins, on one machine.

    Attributes:
        id: Its name, the same for whoever computes it.
        fault: The fault.
        begin: Unix time at which it begins.
        end: Unix time at which it has to end.
    """

    id: str
    fault: Fault
    begin: float
    end: float


def due(plan: FaultPlan, tier: str, machine: int, now: float) -> list[Occurrence]:
    """Return what a machine has to inject at a time.

    Args:
        plan: The plan.
        tier: The machine's tier.
        machine: Its number in the tier; -1 for one that doesn't count as the first of it.
        now: The time.
    """
    cycle = 0 if plan.run else math.floor(now / plan.seconds)
    base = plan.started + cycle * plan.seconds
    if not base <= now < base + plan.seconds:
        return []
    return [
        Occurrence(f"{plan.run or cycle}-{index}-{number}", fault, base + begin, base + end)
        for index, fault in enumerate(plan.faults)
        if fault.tier == tier and (machine == 0 or not fault.one)
        for number, (begin, end) in enumerate(_windows(fault))
        if base + begin <= now < base + end
    ]


def _windows(fault: Fault) -> Iterator[tuple[float, float]]:
    """Yield when each occurrence of a fault may begin, and its end."""
    for begin, end in fault.spans:
        yield begin, end if fault.duration else begin + KILL_SECONDS


def render_fault_plan(plan: FaultPlan) -> str:
    """Return the plan as it is in the ConfigMap."""
    return json.dumps(asdict(plan), indent=2, sort_keys=True) + "\n"


def parse_fault_plan(text: str) -> FaultPlan:
    """Return the plan in a text.

    Raises:
        ValueError: The text is not a fault plan.
    """
    try:
        document: dict[str, Any] = json.loads(text)
        faults = [_fault(one) for one in document.pop("faults")]
        plan = FaultPlan(faults=faults, **document)
        if plan.seconds <= 0 or bool(plan.run) != (plan.started > 0):
            raise ValueError("a run needs a start, and every plan a length")
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError(f"not a fault plan: {error}") from None
    return plan


def _fault(document: dict[str, Any]) -> Fault:
    fault = Fault(**{**document, "kind": Kind(document["kind"])})
    if fault.repeat < 1 or min(fault.start, fault.duration, fault.interval) < 0:
        raise ValueError(f"the times of the fault {fault.title} are invalid")
    if not fault.duration and fault.kind is not Kind.KILL:
        raise ValueError(f"the fault {fault.title} has no end")
    return fault
