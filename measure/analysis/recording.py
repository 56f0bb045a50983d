"""A run while it is recorded: its samples, and what is known about it."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from cloudinit.load_plan import LoadPlan, Profile
from measure.analysis.samples import SAMPLE, Samples, parse
from measure.analysis.steps import Steps


class SampleBuffer:
    """Growing array of samples."""

    def __init__(self) -> None:
        self._array = np.empty(4096, dtype=SAMPLE)
        self._count = 0

    def append(self, lines: bytes) -> None:
        """Parse whole lines and append them.

        Raises:
            NotServingError: The lines are not samples.
        """
        new = parse(lines)
        needed = self._count + len(new)
        if needed > len(self._array):
            larger = np.empty(max(needed, 2 * len(self._array)), dtype=SAMPLE)
            larger[: self._count] = self.samples
            self._array = larger
        self._array[self._count : needed] = new
        self._count = needed

    def drop_oldest_half(self) -> None:
        """Forget the samples that came first."""
        kept = self.samples[self._count // 2 :].copy()
        self._array, self._count = kept, len(kept)

    @property
    def samples(self) -> Samples:
        """The samples so far: a view that is valid until the next change."""
        return self._array[: self._count]


@dataclass(slots=True)
class Recording:
    """What has been recorded of a run.

    Attributes:
        plan: The scheduled load.
        steps: The steps of a stress run, None for other profiles.
        buffer: The samples so far.
        elapsed: Seconds since the start of the run, by the generator's monotonic clock.
        started: Unix time when the first request was scheduled, by the generator's wall clock; None before the start.
        trace: First half of the run's trace ids.
    """

    plan: LoadPlan
    steps: Steps | None = None
    buffer: SampleBuffer = field(default_factory=SampleBuffer)
    elapsed: float = 0.0
    started: float | None = None
    trace: str = ""

    @classmethod
    def of(cls, plan: LoadPlan, gates: dict[str, float]) -> Recording:
        """Return the empty recording of a run that will be judged by gates."""
        return cls(plan, steps=Steps(plan, gates) if plan.profile is Profile.STRESS else None)

    @property
    def samples(self) -> Samples:
        """The samples so far."""
        return self.buffer.samples
