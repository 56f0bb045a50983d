"""The agent: starts the faults that the plan asks for, ends others, and reports what became of each."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Mapping

from . import injection
from .commands import EffectError
from .effects import Machine
from .fault_plan import FaultPlan, Occurrence, due, parse_fault_plan
from .kubernetes import Contents, SourceError
from .records import Records

STACK, RUN = "faults.json", "run.json"
INTERVAL = 0.5  # seconds

log = logging.getLogger(__name__)


class Agent:
    """Carries out the plan on one machine. Everything that has to survive it is in the records and in systemd.

    Args:
        machine: The machine.
        records: The records of its faults.
        publish: Publishes what became of them, as JSON; may raise SourceError, to be called again.
    """

    def __init__(self, machine: Machine, records: Records, publish: Callable[[str], None]) -> None:
        self._machine = machine
        self._records = records
        self._publish = publish
        self._plans: list[FaultPlan] | None = None
        self._published = "[]"
        self._said: dict[str, str] = {}

    def take(self, found: Contents) -> None:
        """Take the contents of the plan's ConfigMap; an invalid plan asks for nothing."""
        self._plans = [plan for key in (RUN, STACK) if (plan := self._parsed(key, found.data))]
        self._say("plan", "")

    def lose(self, reason: str) -> None:
        """Note that the plan can't be read; the last one stays in force."""
        self._say("plan", f"the fault plan can't be read: {reason}")

    def run(self, stop: threading.Event) -> None:
        """Carry out the plan until `stop` is set."""
        while not stop.is_set():
            self.step(time.time())
            stop.wait(INTERVAL)

    def step(self, now: float) -> None:
        """Do what is to be done at a time."""
        if self._plans is not None:  # otherwise a restart would end what the plan still asks for
            self._reconcile({one.id: one for one in self._wanted(self._plans, now)}, now)
        text = json.dumps([record.report for record in self._records.all()])
        if text == self._published:
            return
        try:
            self._publish(text)
        except SourceError as error:
            self._say("report", f"what became of the faults can't be published: {error}")
        else:
            self._published = text
            self._say("report", "")

    def _wanted(self, plans: list[FaultPlan], now: float) -> list[Occurrence]:
        """Return what this machine has to inject: of a run while it lasts, otherwise of the stack's own plan."""
        for plan in plans:
            if not plan.run or 0 <= now - plan.started < plan.seconds:
                return due(plan, self._machine.tier, self._machine.number, now)
        return []

    def _reconcile(self, wanted: Mapping[str, Occurrence], now: float) -> None:
        for record in self._records.all():
            if record.ended is None and record.id not in wanted:
                if now < record.until:
                    injection.stop(record.id)
                elif now > record.until + injection.END_SECONDS:
                    self._records.ended(record.id, "it is not known when it ended")
        for occurrence in wanted.values():
            if created := self._records.create(occurrence):  # otherwise it has begun already
                try:
                    injection.start(created)
                except EffectError as error:
                    self._records.ended(created.id, str(error))
                log.info("%s, until %s", created.fault.title, time.strftime("%X", time.localtime(created.until)))

    def _parsed(self, key: str, data: Mapping[str, str]) -> FaultPlan | None:
        try:
            plan = parse_fault_plan(data[key]) if key in data else None
        except ValueError as error:
            self._say(key, f"{key} in the faults' ConfigMap is invalid: {error}")
            return None
        self._say(key, "")
        return plan

    def _say(self, about: str, problem: str) -> None:
        """Log a problem once."""
        if problem and problem != self._said.get(about):
            log.warning("%s", problem)
        self._said[about] = problem
