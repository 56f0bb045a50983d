"""Runs of a plan, and the store of the latest ones."""

import json
import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from ..load_plan import LoadPlan, arrivals, parse_load_plan, rate_at, render_load_plan

log = logging.getLogger(__name__)


class State(StrEnum):
    """The state of a run."""

    WAITING = "waiting"  # for the tiers to respond, or for the generator to start
    RUNNING = "running"
    FINISHED = "finished"
    STOPPED = "stopped"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run of a plan.

    Attributes:
        plan: The plan.
        state: The run's state.
        problem: Why it isn't running, or why it failed.
        started: Unix time at which its first request was due.
        trace: 16 hexadecimal digits that its trace ids start with.
        first: Offset of its first sample.
        next: Offset after its last sample; None until it has ended.
    """

    plan: LoadPlan
    state: State
    problem: str = ""
    started: float | None = None
    trace: str
    first: int
    next: int | None = None

    @property
    def once(self) -> bool:
        """Whether it has an id, and so runs only once."""
        return bool(self.plan.run)

    def rate(self, second: float) -> float:
        """Return the arrivals per second scheduled for a time since the start; 0 before it and after the end."""
        return rate_at(self.plan.segments, second if self.once or second < 0 else second % self.plan.seconds)

    def document(self) -> dict[str, Any]:
        """Return the run as the API reports it."""
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


def _parse_run(document: Mapping[str, Any]) -> Run:
    """Return the run that a document describes; raises ValueError, KeyError or TypeError if it describes none."""
    return Run(
        plan=parse_load_plan(json.dumps(document["plan"])),
        state=State(document["state"]),
        problem=document["problem"],
        started=document["started"],
        trace=document["trace"],
        first=document["first"],
        next=document["next"],
    )


class RunStore:
    """The current run and the latest finished one, which survive restarts of the agent.

    Args:
        path: The file.
        next_sample: Offset of the next sample, which ends a run that a restart has interrupted.

    Attributes:
        current: The current run, or None.
        last: The latest run with an id that has ended.
        lost: Whether the file was unreadable, so that nobody knows which runs there were.
    """

    def __init__(self, path: Path, next_sample: int) -> None:
        self._path = path
        self.current: Run | None = None
        self.last: Run | None = None
        self.lost = False
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
            current, self.last = (_parse_run(document[key]) if document[key] else None for key in ("run", "last"))
        except FileNotFoundError:
            return
        except (ValueError, KeyError, TypeError) as error:
            log.warning("%s is unreadable, so no run from before is started again: %r", path, error)
            current = self.last = None
            self.lost = True
            self._save()
        if current and current.once and current.state is State.RUNNING:
            # It can't be resumed at the right request, and repeating it would mix two runs.
            problem = "the load generator was restarted during the run"
            self.last = replace(current, state=State.FAILED, problem=problem, next=next_sample)
            self._save()

    def put(self, run: Run) -> None:
        """Store the state of the current run."""
        self.current = run
        if run.once and run.state is not State.WAITING:
            self._save()

    def end(self) -> None:
        """Store that the current run has ended."""
        if self.current and self.current.once:
            self.last = self.current
        self.current = None
        self._save()

    def refuse(self, run: Run) -> None:
        """Store a run that has failed without ever being the current one."""
        self.last = run
        self._save()

    def documents(self) -> dict[str, Any]:
        """Return both as the API reports them."""
        current, last = self.current, self.last
        return {"run": current.document() if current else None, "last": last.document() if last else None}

    def _save(self) -> None:
        new = self._path.with_suffix(".new")
        try:
            with new.open("w", encoding="utf-8") as file:
                file.write(json.dumps(self.documents()))
                file.flush()
                os.fsync(file.fileno())
            new.replace(self._path)
            directory = os.open(self._path.parent, os.O_RDONLY)
            try:
                os.fsync(directory)
            finally:
                os.close(directory)
        except OSError as error:
            log.warning("%s can't be written, and a restart will not know of the latest runs: %s", self._path, error)
