"""The shapes of load: how many requests begin in each second of a profile."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from math import floor

STAIRS = 10
"""Stairs of a stress profile."""
_SPIKE = (2, 1, 2)
"""Parts of a spike profile's time: before, in and after the spike."""


class Profile(StrEnum):
    """The course of the rate through a run."""

    CONSTANT = "constant"
    RAMP = "ramp"
    STRESS = "stress"
    SPIKE = "spike"
    SOAK = "soak"


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of time in which the rate changes evenly."""

    seconds: float
    begin: float
    """Arrivals per second at its begin."""
    end: float
    """Arrivals per second at its end."""


def segments(profile: Profile, *, rps: float, peak: float, seconds: float) -> tuple[Segment, ...]:
    """The profile's segments, in order.

    Args:
        profile: Which course; constant and soak stay at rps, the others also reach peak.
        rps: Arrivals per second at the begin.
        peak: Arrivals per second at the highest.
        seconds: Length of the whole.
    """
    match profile:
        case Profile.CONSTANT | Profile.SOAK:
            return (Segment(seconds, rps, rps),)
        case Profile.RAMP:
            return (Segment(seconds, rps, peak),)
        case Profile.STRESS:
            rates = [rps + (peak - rps) * stair / (STAIRS - 1) for stair in range(STAIRS)]
            return tuple(Segment(seconds / STAIRS, rate, rate) for rate in rates)
        case Profile.SPIKE:
            rates = [rps, peak, rps]
            lengths = [seconds * part / sum(_SPIKE) for part in _SPIKE]
            return tuple(Segment(length, rate, rate) for length, rate in zip(lengths, rates, strict=True))


def arrivals(course: Sequence[Segment]) -> int:
    """How many requests begin in all: the whole ones in the rate's integral."""
    # Exact, where floats would lose the last request of some profiles to rounding.
    whole = sum((_exact(part.seconds) * (_exact(part.begin) + _exact(part.end)) / 2 for part in course), Fraction())
    return floor(whole)


def rate_at(course: Sequence[Segment], second: float) -> float:
    """Arrivals per second at a time since the begin; 0 outside, the later segment's where two meet."""
    if second < 0:
        return 0.0
    for part in course:
        if second < part.seconds:
            return part.begin + (part.end - part.begin) * second / part.seconds
        second -= part.seconds
    return 0.0


def _exact(value: float) -> Fraction:
    """The number that was meant: 0.1 of a second is a tenth, not the float beside it."""
    return Fraction(value).limit_denominator(1_000_000)
