"""One doing of a plan, and the record of the newest ones."""

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from ..load_plan import LoadPlan, arrivals, parse_load_plan, rate_at, render_load_plan

log = logging.getLogger(__name__)


class State(StrEnum):
    """How far a run is."""

    WAITING = "waiting"
    """The tiers don't answer yet, or the generator is starting."""
    RUNNING = "running"
    FINISHED = "finished"
    STOPPED = "stopped"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One doing of a plan."""

    plan: LoadPlan
    state: State
    problem: str = ""
    """Why it isn't running, or failed."""
    started: float | None = None
    """Unix time at which its first request was due."""
    trace: str
    """16 hexadecimal digits that its trace ids begin with."""
    first: int
    """Offset of its first sample."""
    next: int | None = None
    """Offset after its last sample; None until it ended."""

    @property
    def once(self) -> bool:
        """Whether it has an id, and so is done only once."""
        return bool(self.plan.run)

    def rate(self, now: float) -> float:
        """Arrivals per second that it asks for at a Unix time; 0 before its first request is due and after its last."""
        if self.started is None:
            return 0.0
        second = now - self.started
        return rate_at(self.plan.segments, second if self.once else second % self.plan.seconds)

    def document(self) -> dict[str, Any]:
        """The run as the API tells of it."""
        return {
            "id": self.plan.run,
            "plan": json.loads(render_load_plan(self.plan)),
            "state": self.state.value,
            "problem": self.problem,
            "started": self.started,
            "asked": arrivals(self.plan.segments) if self.once else None,
            "trace": self.trace,
            "first": self.first,
            "next": self.next,
        }


def _run_of(document: Mapping[str, Any]) -> Run:
    """The run that a document tells of; raises ValueError, KeyError or TypeError when it tells of none."""
    return Run(
        plan=parse_load_plan(json.dumps(document["plan"])),
        state=State(document["state"]),
        problem=document["problem"],
        started=document["started"],
        trace=document["trace"],
        first=document["first"],
        next=document["next"],
    )


class Record:
    """What is being done, and the newest run with an id that ended; kept across restarts.

    Args:
        path: The file.
        next_sample: Offset of the next sample, where a run that a restart has cut off ends.

    Attributes:
        current: What is being done, None for nothing.
        last: The newest run with an id that ended.
    """

    def __init__(self, path: Path, next_sample: int) -> None:
        self._path = path
        self.current: Run | None = None
        self.last: Run | None = None
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
            current, self.last = (_run_of(document[key]) if document[key] else None for key in ("run", "last"))
        except FileNotFoundError:
            return
        except (ValueError, KeyError, TypeError) as error:
            log.warning("the record of the last runs is broken and begins anew: %r", error)
            return
        if current and current.once and current.state is State.RUNNING:
            # Its numbers can't be gone on with, and to do it again would mix two runs.
            problem = "the load generator was restarted in the middle of it"
            self.last = replace(current, state=State.FAILED, problem=problem, next=next_sample)
            self._keep()

    def put(self, run: Run) -> None:
        """Note how far the current run is."""
        self.current = run
        if run.once and run.state is not State.WAITING:
            self._keep()

    def end(self) -> None:
        """Note that what was the current run has ended."""
        if self.current and self.current.once:
            self.last = self.current
        self.current = None
        self._keep()

    def documents(self) -> dict[str, Any]:
        """Both as the API tells of them."""
        current, last = self.current, self.last
        return {"run": current.document() if current else None, "last": last.document() if last else None}

    def _keep(self) -> None:
        new = self._path.with_suffix(".new")
        new.write_text(json.dumps(self.documents()), encoding="utf-8")
        new.replace(self._path)
