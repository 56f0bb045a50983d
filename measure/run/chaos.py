"""Chaos during a run: the faults that guests are asked for, and what they report."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from cloudinit.fault_plan import Fault, FaultPlan, parse_fault_plan, render_fault_plan
from cloudinit.load_plan import LoadPlan
from components.settings.chaos import ChaosSettings
from components.settings.refusals import ConfigurationError, parse
from components.settings.values import bytes_of
from measure.analysis.faults import FaultReport
from measure.failures import MeasureError, WrongUsageError
from measure.run.stack import StackClient
from measure.summary import FaultSpan, MachineSummary

FAULTS = "faults.json"
_REPORT_SECONDS = 8.0  # for guests to report the end of their last fault
_POLL = 0.5


class _Report(BaseModel):
    """A guest's report on one fault; times are Unix times."""

    id: str
    title: str
    tier: str
    kind: str
    began: float | None
    ended: float | None
    means: str
    problem: str


class Chaos:
    """The faults of one run.

    Attributes:
        warning: What went wrong while cleaning up, in words.
    """

    def __init__(self, stack: StackClient, faults: Sequence[Fault], plan: LoadPlan) -> None:
        """Prepare the faults.

        Args:
            stack: Client of the stack.
            faults: The faults; without any, the guests are asked for nothing, and the stack's own are observed.
            plan: The run's load plan.
        """
        self.warning = ""
        self._stack, self._faults, self._plan = stack, faults, plan
        self._started: float | None = None

    def begin(self, started: float) -> None:
        """Ask the guests for the faults.

        Args:
            started: Unix time of the run's start, by the generator's clock.

        Raises:
            MeasureError: The API server refused, or there was no response.
        """
        self._started = started
        if self._faults:
            plan = FaultPlan(run=self._plan.run, started=started, seconds=self._plan.seconds, faults=self._faults)
            self._stack.put_faults(render_fault_plan(plan))

    def end(self) -> list[FaultReport]:
        """Ask for no more faults, and return what became of those during the run."""
        if self._started is None:
            return []
        if self._faults:
            try:
                self._stack.put_faults(None)
            except MeasureError as error:
                self.warning = f"The faults could not be removed from the cluster; they end by themselves: {error}"
        deadline = time.monotonic() + _REPORT_SECONDS
        while (found := self._reports()) and self._open(found) and time.monotonic() < deadline:
            time.sleep(_POLL)
        reports = [FaultReport(one.title, one.tier, one.kind, self._span(machine, one)) for machine, one in found]
        reported = {one.title for one in reports}
        nothing = FaultSpan(machine="", began=None, ended=None, means="", problem="no machine reported it")
        missing = [one for one in self._faults if one.title not in reported]
        return reports + [FaultReport(one.title, one.tier, one.kind.value, nothing) for one in missing]

    def _reports(self) -> list[tuple[str, _Report]]:
        """Return the reports about this run's time, each with its machine; none if they can't be read."""
        try:
            data = self._stack.config_map(self._stack.reports_name)
        except MeasureError:
            return []
        return [(machine, one) for machine, text in data.items() for one in _parsed(text) if self._belongs(one)]

    def _belongs(self, one: _Report) -> bool:
        if self._faults:
            return one.id.startswith(f"{self._plan.run}-")
        begin = self._started or 0.0
        end = begin + self._plan.seconds
        return one.began is not None and one.began < end and (one.ended is None or one.ended > begin)

    def _open(self, found: list[tuple[str, _Report]]) -> bool:
        return bool(self._faults) and any(one.ended is None for _, one in found)

    def _span(self, machine: str, one: _Report) -> FaultSpan:
        began, ended = (time and round(time - (self._started or 0.0), 3) for time in (one.began, one.ended))
        return FaultSpan(machine=machine, began=began, ended=ended, means=one.means, problem=one.problem)


def _parsed(text: str) -> Iterator[_Report]:
    """Yield the reports of one machine, without those of another version."""
    try:
        yield from (_Report.model_validate(one) for one in json.loads(text))
    except (ValueError, ValidationError, TypeError):
        return


def stack_faults(stack: StackClient) -> list[Fault]:
    """Return the faults in the stack's configuration.

    Raises:
        WrongUsageError: There are none.
        MeasureError: They can't be read.
    """
    text = stack.config_map(stack.faults_name).get(FAULTS)
    if text is None:
        raise WrongUsageError(
            "The stack's configuration has no faults. Give some with --fault, or set chaos.faults and run `pulumi up`."
        )
    try:
        return list(parse_fault_plan(text).faults)
    except ValueError as error:
        raise WrongUsageError(f"The stack's fault plan is of another version: {error}.") from None


def parse_faults(texts: Sequence[str]) -> list[Fault]:
    """Return the faults given on the command line, such as "tier=web,process=freeze,start=10s,duration=5s".

    Raises:
        WrongUsageError: They are invalid; the message has all errors.
    """
    faults = json.dumps([_document(text) for text in texts])
    try:
        return [one.fault for one in parse({"faults": faults}, prefix="", model=ChaosSettings).faults]
    except ConfigurationError as error:
        _, *problems = str(error).splitlines()
        raise WrongUsageError(f"--fault is invalid. {'; '.join(one.strip() for one in problems)}") from None


def _document(text: str) -> dict[str, Any]:
    """Return a fault as in a stack file, from its dotted keys and their values."""
    document: dict[str, Any] = {}
    for item in text.split(","):
        key, equals, value = item.strip().partition("=")
        if not key or not equals:
            raise WrongUsageError(f"--fault {text!r} is invalid: {item.strip()!r} is not KEY=VALUE. See docs/chaos.md.")
        *path, last = key.split(".")
        node = document
        for name in path:
            node = node.setdefault(name, {})
            if not isinstance(node, dict):
                raise WrongUsageError(f"--fault {text!r} is invalid: {name} has a value and keys below it.")
        try:
            node[last] = yaml.safe_load(value)
        except yaml.YAMLError:
            node[last] = value
    return document


def check_faults(faults: Sequence[Fault], plan: LoadPlan, machines: Sequence[MachineSummary]) -> None:
    """Check that no fault outlives the run, and that each fits into the machines.

    Raises:
        WrongUsageError: One doesn't.
    """
    for one in faults:
        if one.end > plan.seconds:
            raise WrongUsageError(
                f"The fault {one.title!r} ends {one.end:g} s after the start of the run, which takes {plan.seconds} s. "
                "A fault may not outlive its run: use a longer --for, or another start, duration or repeat."
            )
        size = one.parameters.get("size", 0.0)
        memory = [bytes_of(machine.memory) for machine in machines if machine.tier == one.tier and machine.memory]
        if memory and size >= min(memory):
            raise WrongUsageError(f"The fault {one.title!r} needs more memory than the machines of its tier have.")
