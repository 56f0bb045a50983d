"""The verdict on a run."""

from __future__ import annotations

from collections.abc import Mapping

from measure.analysis.gates import judge, words
from measure.analysis.samples import Samples
from measure.failures import ExitCode, MeasureError
from measure.summary import GateResult, Stress, Verdict

_OUTCOMES: dict[ExitCode, str] = {
    ExitCode.NOT_SERVING: "not serving",
    ExitCode.TIMED_OUT: "timed out",
    ExitCode.INTERRUPTED: "interrupted",
}


def verdict(
    samples: Samples,
    gates: Mapping[str, float],
    *,
    asked: int,
    early: MeasureError | None,
    stress: Stress | None,
) -> Verdict:
    """Return how a run went.

    Args:
        samples: its requests.
        gates: limits by name.
        asked: how many requests should have been sent.
        early: why it ended before its time, None if it didn't.
        stress: the stairs of a stress run, which is judged by them.
    """
    if stress is not None:
        results = stress.stairs[-1].gates if stress.stairs else []
    else:
        results = judge(gates, samples, asked=asked)
    if early is not None:
        return _verdict(early.exit_code, f"{early} {len(samples):,} requests were measured.", results)
    if stress is not None:
        return _of_stress(stress, results)
    failed = [words(one) for one in results if not one.passed]
    if failed:
        return _verdict(ExitCode.GATE_FAILED, f"{', '.join(failed)}.", results)
    if not len(samples):
        return _verdict(ExitCode.NOT_SERVING, "No request was sent.", results)
    said = f"all {len(results)} gates hold." if results else "no gate was set."
    return _verdict(ExitCode.PASSED, said, results)


def _of_stress(stress: Stress, results: list[GateResult]) -> Verdict:
    if stress.limit is not None:
        return _verdict(ExitCode.GATE_FAILED, stress.limit, results)
    if not stress.stairs:
        return _verdict(ExitCode.NOT_SERVING, "No stair was climbed.", results)
    return _verdict(ExitCode.PASSED, f"every stair up to {stress.stairs[-1].rate:.0f} requests/s held.", results)


def _verdict(code: ExitCode, reason: str, results: list[GateResult]) -> Verdict:
    outcome = _OUTCOMES.get(code, "failed" if code else "passed")
    return Verdict.model_validate({"outcome": outcome, "exit_code": int(code), "reason": reason, "gates": results})
