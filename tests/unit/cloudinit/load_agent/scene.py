"""A load agent's controller with fakes around it: its API server, its k6, and its clock."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from cloudinit import LoadPlan, Profile, render_load_plan
from cloudinit.files.load.agent.controller import Controller, Dependencies
from cloudinit.files.load.agent.desired_plans import DesiredPlans
from cloudinit.files.load.agent.run import Run, RunStore
from cloudinit.files.load.agent.sample_log import SampleLog

STACK = LoadPlan(
    profile=Profile.CONSTANT,
    rps=50,
    peak=200,
    seconds=60,
    concurrency=20,
    accounts=100_000,
    mix={"random": 1, "hot": 0, "missing": 0, "slow": 0, "write": 0},
    seed=1,
)
SPIKE = replace(STACK, profile=Profile.SPIKE, run="one-spike")
OTHER = replace(SPIKE, run="another-spike")


class Process:
    """A fake k6."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.started: float | None = None
        self.message = ""
        self.exit_code: int | None = None
        self.age = 0.0
        self.elapsed: float | None = None
        self.stopped = False

    def stop(self) -> None:
        self.stopped, self.exit_code = True, 105


@dataclass
class Scene:
    """A controller with fakes around it."""

    directory: Path
    processes: list[Process] = field(default_factory=list)
    unreachable: str = ""
    k6_missing: bool = False
    now: float = 1000.0

    def __post_init__(self) -> None:
        self.plans = DesiredPlans(lambda: self.now)
        self.restart()

    def restart(self) -> None:
        """Restart the agent with what is on the disk."""
        self.samples = SampleLog(self.directory / "samples")
        self.runs = RunStore(self.directory / "runs.json", self.samples.next)
        dependencies = Dependencies(start=self._start, probe=lambda: self.unreachable, clock=lambda: self.now)
        self.controller = Controller(self.plans, self.runs, self.samples, dependencies)

    def _start(self, run: Run) -> Process:
        if self.k6_missing:
            raise FileNotFoundError(2, "No such file or directory", "k6")
        self.processes.append(Process(run))
        return self.processes[-1]

    def give(self, stack: LoadPlan | None = STACK, run: LoadPlan | None = None, *, age: float = 0.0) -> None:
        """Put plans into the ConfigMap, the run a while ago."""
        texts = {"plan.json": stack, "run.json": run}
        self.plans.update({key: render_load_plan(plan) for key, plan in texts.items() if plan}, {"run.json": age})

    def replace_guest(self) -> None:
        """Start the agent in a new guest, which remembers nothing."""
        shutil.rmtree(self.directory / "samples")
        (self.directory / "runs.json").unlink(missing_ok=True)
        self.plans = DesiredPlans(lambda: self.now)
        self.restart()

    def step(self, seconds: float = 0.0) -> dict[str, Any]:
        """Let time pass, reconcile, and return the current run."""
        self.now += seconds
        self.controller.reconcile()
        return self.status["run"] or {}

    @property
    def status(self) -> dict[str, Any]:
        return self.runs.documents()

    @property
    def k6(self) -> Process:
        return self.processes[-1]

    def begin(self) -> dict[str, Any]:
        """Reconcile until the desired plan runs."""
        self.step()
        self.step()
        self.k6.started, self.k6.elapsed = 1234.5, 0.0
        return self.step()
