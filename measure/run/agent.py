"""The load agent's `/status`."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, JsonValue


class Retained(BaseModel):
    """Range of sample bytes that the agent holds.

    Attributes:
        first: Offset of the oldest byte.
        next: Offset where the next sample will start.
    """

    first: int
    next: int


class RunStatus(BaseModel):
    """One run of a plan.

    Attributes:
        id: The run's name; empty for the stack's own endless plan.
        plan: The plan, as in the ConfigMap.
        state: `waiting` means that the tiers don't respond yet.
        problem: Why it waits or failed, in words.
        started: Unix time of the first scheduled request by the guest's wall clock, None before the start.
        trace: First half of its requests' trace ids, 16 hexadecimal digits.
        first: Byte offset of its first sample.
        next: Byte offset after its last sample, None until it has ended.
    """

    id: str
    plan: dict[str, JsonValue] = {}
    state: Literal["waiting", "running", "finished", "stopped", "failed"]
    problem: str = ""
    started: float | None = None
    trace: str = ""
    first: int | None = None
    next: int | None = None

    @property
    def in_force(self) -> bool:
        """Whether it runs, or will once the tiers respond."""
        return self.state in ("waiting", "running")


class AgentStatus(BaseModel):
    """The agent's status.

    Attributes:
        time: Its wall clock, Unix seconds; it may be wrong, and may jump.
        instance: Random id of this start of the agent.
        elapsed: Seconds since the start of the run in force by its monotonic clock, None before the start.
        versions: Versions of the programs it uses.
        target: URL that it sends requests to.
        problem: Why it can't follow the ConfigMap, in words.
        run: The run in force.
        last: The latest run with an id that has ended.
        samples: The samples that can be read.
    """

    time: float
    instance: str
    elapsed: float | None
    versions: dict[str, str] = {}
    target: str = ""
    problem: str = ""
    run: RunStatus | None = None
    last: RunStatus | None = None
    samples: Retained

    def find(self, run: str) -> RunStatus | None:
        """Return the run with an id, in force or ended; None if the agent doesn't know it."""
        return next((one for one in (self.run, self.last) if one is not None and one.id == run), None)
