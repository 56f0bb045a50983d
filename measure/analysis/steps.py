"""A stress run's stairs: each judged as soon as it can be, and the limit named at the first that breaks."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import accumulate, pairwise
from math import ceil

import numpy as np

from cloudinit.load_plan import LoadPlan, arrivals
from measure.analysis.causes import cause
from measure.analysis.gates import DELIVERED_SHARE, ERROR_RATE, judge, words
from measure.analysis.samples import Samples, between, part
from measure.analysis.statistics import percentiles
from measure.run.plan import arrivals_until
from measure.summary import Stair, Stress

DEFAULT_GATES = {DELIVERED_SHARE: 0.99, ERROR_RATE: 0.01}
# Seconds after a stair's end in which its requests may still begin: as long as a run's, but of a short stair not so
# long that a rate beyond what can be carried would seem delivered.
_GRACE, _GRACE_SHARE = 1.0, 0.1
_ANSWER = 12.0  # seconds after its end until every request that began has its answer or its time-out


class Stairs:
    """The stairs of one run, as far as they were climbed."""

    def __init__(self, plan: LoadPlan, gates: Mapping[str, float]) -> None:
        self._plan = plan
        self._gates = dict(gates) or DEFAULT_GATES
        ends = accumulate((segment.seconds for segment in plan.segments), initial=0.0)
        self._spans = [(*span, segment.begin) for span, segment in zip(pairwise(ends), plan.segments, strict=True)]
        self.judged: list[Stair] = []

    @property
    def broken(self) -> Stair | None:
        """The stair that broke."""
        return next((stair for stair in self.judged if not stair.held), None)

    def judge(self, samples: Samples, elapsed: float, *, ended: bool = False) -> None:
        """Judge each further stair of which enough is known, until one breaks.

        Args:
            samples: all that have come.
            elapsed: seconds since the run's begin.
            ended: whether no more samples will come.
        """
        while self.broken is None and len(self.judged) < len(self._spans):
            begin, end, rate = self._spans[len(self.judged)]
            first, behind = self._numbers(begin, end)
            of_stair = samples[(samples["number"] >= first) & (samples["number"] < behind)]
            stair = self._stair(of_stair, begin, end, rate, behind - first)
            over = elapsed >= end and (ended or self._decided(stair, late=len(of_stair) - stair.sent, elapsed=elapsed))
            if not over and len(of_stair) < stair.asked:
                return
            self.judged.append(stair)

    def _numbers(self, begin: float, end: float) -> tuple[int, int]:
        """Return the first number that is due in a span, and the first behind it."""
        # Number n is due when the rate's integral reaches n.
        first, behind = (ceil(one - 1e-6) for one in arrivals_until(self._plan.segments, [begin, end]))
        return first, min(behind, arrivals(self._plan.segments))

    def _decided(self, stair: Stair, *, late: int, elapsed: float) -> bool:
        """Return whether more samples could not change what is known of a stair that is over."""
        unknown = stair.asked - stair.sent - late
        hopeless = late > stair.asked * (1 - self._gates.get(DELIVERED_SHARE, 0.0))
        return unknown <= 0 or hopeless or elapsed - stair.end > _ANSWER

    def _stair(self, samples: Samples, begin: float, end: float, rate: float, asked: int) -> Stair:
        grace = min(_GRACE, _GRACE_SHARE * (end - begin))
        began = samples[samples["sent"] < (end + grace) * 1000]
        gates = judge(self._gates, began, asked=asked)
        p50, p99 = percentiles(part(began, "total"), [500, 990])
        return Stair(
            rate=rate,
            begin=begin,
            end=end,
            asked=asked,
            sent=len(began),
            errors=int(np.count_nonzero(began["good"] == 0)),
            p50=p50,
            p99=p99,
            gates=gates,
            held=all(gate.passed for gate in gates),
        )

    def result(self, samples: Samples) -> Stress:
        """Return the stairs, and the limit in words."""
        broken = self.broken
        return Stress(stairs=self.judged, limit=None if broken is None else self._limit(samples, broken))

    def _limit(self, samples: Samples, broken: Stair) -> str:
        before = between(samples, 0.0, self._spans[0][1])
        what = ", ".join(words(gate) for gate in broken.gates if not gate.passed)
        why = cause(before, between(samples, broken.begin, broken.end), concurrency=self._plan.concurrency)
        held = [stair.rate for stair in self.judged if stair.held]
        lower = f"; {held[-1]:.0f}/s held" if held else ""
        return f"{broken.rate:.0f} requests/s is too much{lower}. {what}. Why: {why}."
