"""What the load agent says of itself on `/status`."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, JsonValue


class Retained(BaseModel):
    """Which bytes of the samples the agent still has.

    Attributes:
        first: the oldest byte.
        next: the end, where new samples will stand.
    """

    first: int
    next: int


class RunStatus(BaseModel):
    """One run of a plan.

    Attributes:
        id: the run's name; empty for the stack's own endless plan.
        plan: the plan, as in the ConfigMap.
        state: `waiting` means that the chain doesn't answer yet.
        problem: why it waits or failed, in words.
        started: Unix time of the first arrival, None before it.
        asked: arrivals in all, None for an endless plan.
        trace: high half of its requests' trace ids, 16 hexadecimal digits.
        first: byte offset of its first sample.
        next: byte offset behind its last sample, None until it has ended.
    """

    id: str
    plan: dict[str, JsonValue] = {}
    state: Literal["waiting", "running", "finished", "stopped", "failed"]
    problem: str = ""
    started: float | None = None
    asked: int | None = None
    trace: str = ""
    first: int | None = None
    next: int | None = None

    @property
    def in_force(self) -> bool:
        """Whether it runs, or would if the chain answered."""
        return self.state in ("waiting", "running")


class AgentStatus(BaseModel):
    """The agent's answer.

    Attributes:
        time: its clock, Unix seconds.
        versions: of the programs that it uses.
        target: the URL that it sends requests to.
        problem: why it can't follow the ConfigMap, in words.
        run: what is in force now.
        last: the newest run with an id that has ended.
        samples: what can be read of the samples.
    """

    time: float
    versions: dict[str, str] = {}
    target: str = ""
    problem: str = ""
    run: RunStatus | None = None
    last: RunStatus | None = None
    samples: Retained

    def find(self, run: str) -> RunStatus | None:
        """Return the run with an id, whether in force or ended; None if the agent knows of no such run."""
        return next((one for one in (self.run, self.last) if one is not None and one.id == run), None)
