"""What the times of starting machines mean: percentiles by phase and tier, gates, the verdict."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from components.names import TierName
from measure.analysis.statistics import percentiles
from measure.failures import ExitCode, MeasureError, WrongUsageError
from measure.formatting import seconds
from measure.startup_summary import (
    MachineStart,
    Phase,
    Phases,
    StartDistribution,
    StartGate,
    StartupSummary,
    StartVerdict,
)

FIRST_ANSWER = "first_answer"
FIGURES = ("p50", "p95", "p99", "max")
_PER_THOUSAND = [500, 950, 990, 1000]
_LIMIT = re.compile(r"(?P<number>[0-9]{1,6}(\.[0-9]{1,3})?)(?P<unit>ms|s|m)", re.ASCII)
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0}
_OUTCOMES = {
    ExitCode.NOT_SERVING: "not serving",
    ExitCode.TIMED_OUT: "timed out",
    ExitCode.INTERRUPTED: "interrupted",
}


def time_in(machine: MachineStart, phase: Phase) -> float | None:
    """Return how long a machine took: to be created since the start, to reach another phase since created."""
    reached: float | None = getattr(machine, phase)
    return reached if reached is None or phase is Phase.CREATED else reached - machine.created


def phases(machines: Sequence[MachineStart], until: Phase, missing: int = 0) -> Phases:
    """Return the distribution of each phase's times.

    A machine that did not reach a phase is slower than any other in it; but after the phase that was asked for, and
    where a machine has no such phase, it isn't counted.

    Args:
        machines: The machines that were seen.
        until: The phase that every machine had to reach.
        missing: Number of machines that were expected and never seen.
    """
    order, found = list(Phase), {}
    for phase in order:
        counts = order.index(phase) <= order.index(until)
        counted = [one for one in machines if one.asked or phase is not Phase.SERVING]
        times = [time_in(one, phase) for one in counted] + [None] * missing
        values = [math.inf if time is None else time for time in times if counts or time is not None]
        if values:
            figures = zip(FIGURES, percentiles(np.array(values), _PER_THOUSAND), strict=True)
            unreached = sum(map(math.isinf, values))
            found[phase] = StartDistribution.model_validate(
                {"count": len(values), "unreached": unreached, **dict(figures)}
            )
    return found


def tiers(machines: Sequence[MachineStart], until: Phase) -> dict[str, Phases]:
    """Return the distributions of each tier, in the order in which they start."""
    names = sorted({one.tier for one in machines}, key=lambda name: (*TierName, name).index(name))
    return {name: phases([one for one in machines if one.tier == name], until) for name in names}


def first_answer(machines: Iterable[MachineStart]) -> float | None:
    """Return when the first web machine served."""
    return min((one.serving for one in machines if one.tier == TierName.WEB and one.serving is not None), default=None)


def parse_gates(flags: Iterable[str]) -> dict[str, float]:
    """Return the limits on the command line, in seconds, by gate: `name=limit`, such as `ready.p95=30s`.

    Raises:
        WrongUsageError: An unknown gate or an invalid limit.
    """
    found = {}
    names = [FIRST_ANSWER, *(f"{phase}.{figure}" for phase in Phase for figure in FIGURES)]
    known = {*names, *(f"{tier}.{name}" for tier in TierName for name in names[1:])}
    for flag in flags:
        name, _, limit = (word.strip() for word in flag.partition("="))
        if name not in known:
            closest = difflib.get_close_matches(name, sorted(known), n=1, cutoff=0.0)[0]
            raise WrongUsageError(
                f"Unknown gate {name!r}: did you mean {closest}? A gate is {FIRST_ANSWER}, or a phase "
                f"({', '.join(Phase)}) with a figure ({', '.join(FIGURES)}), alone or after a tier "
                f"({', '.join(TierName)})."
            )
        match = _LIMIT.fullmatch(limit)
        if match is None:
            raise WrongUsageError(f"--gate {name} needs a time with its unit, such as 800ms or 12.5s, not {limit!r}.")
        found[name] = float(match["number"]) * _SECONDS[match["unit"]]
    return found


def judge(gates: Mapping[str, float], summary: StartupSummary) -> list[StartGate]:
    """Return the result of each gate."""
    results = []
    for name, limit in gates.items():
        measured = _measured(name, summary)
        passed = measured is not None and measured <= limit
        results.append(StartGate(gate=name, limit=limit, measured=measured, passed=passed))
    return results


def _measured(gate: str, summary: StartupSummary) -> float | None:
    if gate == FIRST_ANSWER:
        return summary.first_answer
    *tier, phase, figure = gate.split(".")
    found = (summary.tiers.get(tier[0], {}) if tier else summary.phases).get(Phase(phase))
    value: float | None = getattr(found, figure, None)
    return None if value == math.inf else value


def verdict(results: Sequence[StartGate], early: MeasureError | None) -> StartVerdict:
    """Return the verdict on a start.

    Args:
        results: The gates.
        early: Why the measurement ended before every machine had reached its phase, None if all have.
    """
    failed = ", ".join(
        f"{one.gate} is {'not reached' if one.measured is None else seconds(one.measured)} (limit {seconds(one.limit)})"
        for one in results
        if not one.passed
    )
    if early is not None:
        code, reason = early.exit_code, str(early)
    elif failed:
        code, reason = ExitCode.GATE_FAILED, f"{failed}."
    else:
        code, reason = ExitCode.PASSED, f"all {len(results)} gates passed." if results else "no gate was set."
    outcome = _OUTCOMES.get(code, "failed" if code else "passed")
    return StartVerdict.model_validate(
        {"outcome": outcome, "exit_code": int(code), "reason": reason, "gates": list(results)}
    )
