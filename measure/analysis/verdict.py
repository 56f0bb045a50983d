"""The verdict on a run."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from measure.analysis.gates import describe_failures, judge
from measure.analysis.samples import Samples, is_sent
from measure.failures import ExitCode, MeasureError
from measure.summary import Stress, Verdict

_OUTCOMES = {
    ExitCode.PASSED: "passed",
    ExitCode.NOT_SERVING: "not serving",
    ExitCode.TIMED_OUT: "timed out",
    ExitCode.INTERRUPTED: "interrupted",
}


def verdict(
    samples: Samples, gates: Mapping[str, float], *, early: MeasureError | None, stress: Stress | None
) -> Verdict:
    """Return the verdict on a run.

    Args:
        samples: All scheduled requests.
        gates: Limits by gate.
        early: Why the run ended early, None if it didn't.
        stress: The steps of a stress run; they decide its verdict.
    """
    results = judge(gates, samples)
    if stress is not None:
        results = stress.steps[-1].gates if stress.steps else []
    sent = int(np.count_nonzero(is_sent(samples)))
    failed = describe_failures(results)
    code, reason = ExitCode.PASSED, f"all {len(results)} gates passed." if results else "no gate was set."
    if early is not None:
        code, reason = early.exit_code, f"{early} {sent:,} requests were measured."
    elif stress is not None and stress.limit is not None:
        code, reason = ExitCode.GATE_FAILED, stress.limit
    elif failed:
        code, reason = ExitCode.GATE_FAILED, f"{failed}."
    elif not sent or (stress is not None and not stress.steps):
        code, reason = ExitCode.NOT_SERVING, "no request was sent."
    elif stress is not None:
        reason = f"every step up to {stress.steps[-1].rate:.0f} requests/s passed."
    outcome = _OUTCOMES.get(code, "failed")
    return Verdict.model_validate({"outcome": outcome, "exit_code": int(code), "reason": reason, "gates": results})
