"""The steps of a stress run: each is judged as soon as its result is known; the first that fails is the limit."""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import accumulate, pairwise

import numpy as np
import numpy.typing as npt

from cloudinit.load_plan import LoadPlan, arrivals
from measure.analysis.causes import cause
from measure.analysis.gates import DELIVERED_SHARE, describe_failures, judge, too_few
from measure.analysis.samples import Samples, between, latencies
from measure.analysis.schedule import never_sent, scheduled_until
from measure.analysis.statistics import percentiles
from measure.summary import Stress, StressStep

# A step's requests count as delivered if sent within this time after its end. As a share for short steps, or a rate
# beyond the capacity would seem delivered.
_GRACE_SECONDS, _GRACE_SHARE = 1.0, 0.1
_RESPONSE_SECONDS = 12.0  # until each request sent in a step has its response or has timed out


class Steps:
    """The steps of a stress run, as far as they have been judged.

    Attributes:
        judged: The judged steps, in order.
    """

    def __init__(self, plan: LoadPlan, gates: Mapping[str, float]) -> None:
        self._plan = plan
        self._gates = dict(gates)
        ends = accumulate((segment.seconds for segment in plan.segments), initial=0.0)
        self._spans = [(*span, segment.begin) for span, segment in zip(pairwise(ends), plan.segments, strict=True)]
        self.judged: list[StressStep] = []

    @property
    def failed(self) -> StressStep | None:
        """The step that failed, None so far."""
        return next((step for step in self.judged if not step.passed), None)

    def judge(self, samples: Samples, elapsed: float, *, ended: bool = False) -> None:
        """Judge each further step whose result is known, until one fails.

        Args:
            samples: All samples so far.
            elapsed: Seconds since the start of the run.
            ended: Whether no more samples will come.
        """
        while self.failed is None and len(self.judged) < len(self._spans):
            start, end, rate = self._spans[len(self.judged)]
            first, stop = self._numbers(start, end)
            of_step = samples[(samples["number"] >= first) & (samples["number"] < stop)]
            step = self._step(of_step, start, end, rate, np.arange(first, stop))
            known = elapsed >= end and (ended or self._known(step, late=len(of_step) - step.sent, elapsed=elapsed))
            if not known and len(of_step) < step.scheduled:
                return
            self.judged.append(step)

    def _numbers(self, start: float, end: float) -> tuple[int, int]:
        """Return the range of request numbers that are scheduled in a span."""
        # Request n is scheduled when the integral of the rate reaches n.
        first, stop = (math.ceil(one - 1e-6) for one in scheduled_until(self._plan.segments, [start, end]))
        return first, min(stop, arrivals(self._plan.segments))

    def _known(self, step: StressStep, *, late: int, elapsed: float) -> bool:
        """Return whether more samples could not change the result of a step that is over."""
        missing = step.scheduled - step.sent - late
        hopeless = late > step.scheduled * (1 - self._gates.get(DELIVERED_SHARE, 0.0))
        return missing <= 0 or hopeless or elapsed - step.end > _RESPONSE_SECONDS

    def _step(
        self, samples: Samples, start: float, end: float, rate: float, numbers: npt.NDArray[np.int64]
    ) -> StressStep:
        grace = min(_GRACE_SECONDS, _GRACE_SHARE * (end - start))
        sent = samples[samples["sent"] < (end + grace) * 1000]
        every = np.concatenate([sent, never_sent(self._plan, np.setdiff1d(numbers, sent["number"]))])
        gates = judge(self._gates, every)
        p50, p99 = percentiles(latencies(every, "total"), [500, 990])
        return StressStep(
            rate=rate,
            start=start,
            end=end,
            scheduled=len(numbers),
            sent=len(sent),
            errors=int(np.count_nonzero(sent["good"] == 0)),
            p50=math.inf if p50 is None else p50,
            p99=math.inf if p99 is None else p99,
            gates=gates,
            passed=all(gate.passed for gate in gates),
        )

    def result(self, samples: Samples) -> Stress:
        """Return the steps, and the limit in words."""
        return Stress(steps=self.judged, limit=None if self.failed is None else self._limit(samples, self.failed))

    def _limit(self, samples: Samples, failed: StressStep) -> str:
        if all(too_few(gate) for gate in failed.gates if not gate.passed):
            problem = describe_failures(failed.gates)
            return f"the step of {failed.rate:.0f} requests/s is too short to judge: {problem}. Use a longer --for."
        before = between(samples, 0.0, self._spans[0][1])
        why = cause(before, between(samples, failed.start, failed.end), concurrency=self._plan.concurrency)
        passed = [step.rate for step in self.judged if step.passed]
        sustained = f" ({passed[-1]:.0f}/s passed)" if passed else ""
        return f"{failed.rate:.0f} requests/s is too much{sustained}: {describe_failures(failed.gates)}. Cause: {why}."
