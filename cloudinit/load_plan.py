"""The load plan: what the load generator sends. The program, measuring runs and the guest read and write it.

The guest gets this same file (`files/load/load_plan.py` is a link to it).
"""

import json
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from fractions import Fraction
from math import floor
from typing import Any

STEPS = 10  # of a stress profile
_SPIKE = (2, 1, 2)  # proportions of a spike profile's time before, during and after the spike


class Profile(StrEnum):
    """The course of the rate through a run."""

    CONSTANT = "constant"
    RAMP = "ramp"
    STRESS = "stress"
    SPIKE = "spike"
    SOAK = "soak"


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of time in which the rate changes linearly.

    Attributes:
        seconds: Its length.
        begin: Arrivals per second at its start.
        end: Arrivals per second at its end.
    """

    seconds: float
    begin: float
    end: float


def segments(profile: Profile, *, rps: float, peak: float, seconds: float) -> tuple[Segment, ...]:
    """Return the profile's segments, in order.

    Args:
        profile: The profile; constant and soak stay at rps, the others reach peak.
        rps: Arrivals per second at the start.
        peak: Highest number of arrivals per second.
        seconds: Length of the profile.
    """
    match profile:
        case Profile.CONSTANT | Profile.SOAK:
            return (Segment(seconds, rps, rps),)
        case Profile.RAMP:
            return (Segment(seconds, rps, peak),)
        case Profile.STRESS:
            rates = [rps + (peak - rps) * step / (STEPS - 1) for step in range(STEPS)]
            return tuple(Segment(seconds / STEPS, rate, rate) for rate in rates)
        case Profile.SPIKE:
            rates = [rps, peak, rps]
            lengths = [seconds * part / sum(_SPIKE) for part in _SPIKE]
            return tuple(Segment(length, rate, rate) for length, rate in zip(lengths, rates, strict=True))


def arrivals(course: Sequence[Segment]) -> int:
    """Return the number of arrivals: the integral of the rate, rounded down."""
    # Exact: with floats, rounding would lose the last request of some profiles.
    whole = sum((_exact(part.seconds) * (_exact(part.begin) + _exact(part.end)) / 2 for part in course), Fraction())
    return floor(whole)


def rate_at(course: Sequence[Segment], second: float) -> float:
    """Return the arrivals per second at a time since the start; 0 outside, and the later segment's on a boundary."""
    if second < 0:
        return 0.0
    for part in course:
        if second < part.seconds:
            return part.begin + (part.end - part.begin) * second / part.seconds
        second -= part.seconds
    return 0.0


def _exact(value: float) -> Fraction:
    """Return the intended number: 0.1 is a tenth, not the nearest float."""
    return Fraction(value).limit_denominator(1_000_000)


MIX = ("random", "hot", "missing", "slow", "write")
LARGEST_SEED = 2**32 - 1
_RUN = re.compile(r"[a-z0-9-]{0,63}")
LARGEST_RPS = 100_000
LARGEST_CONCURRENCY = 10_000
LONGEST = 24 * 3600  # seconds
PEAK_OF_RPS = 4
_COUNTS = {
    "rps": LARGEST_RPS,
    "peak": LARGEST_RPS,
    "seconds": LONGEST,
    "concurrency": LARGEST_CONCURRENCY,
    "accounts": sys.maxsize,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadPlan:
    """What the generator sends, in an open model: requests are sent when they are scheduled, whatever responses take.

    Attributes:
        profile: Course of the rate.
        rps: Requests per second at the start of the profile.
        peak: Requests per second at its highest; at least rps.
        seconds: Length of the profile.
        concurrency: Most requests in flight. Beyond it requests wait, and their wait counts as latency.
        accounts: Number of accounts in the database: 100,000 times its scale.
        mix: Weights of the kinds of request: a `random` account, one `hot` account, a `missing` account (404 is
            expected), a `slow` query, a `write`.
        seed: Seed of the choice of kinds and accounts, 0 to LARGEST_SEED.
        sampled: Share of the requests whose trace is sampled, 0 to 1.
        run: Id of a run, which runs once; empty: the stack's own plan, which repeats.

    Raises:
        ValueError: A value is invalid; the message starts with the field.
    """

    profile: Profile
    rps: int
    peak: int
    seconds: int
    concurrency: int
    accounts: int
    mix: dict[str, int]
    seed: int
    sampled: float = 1.0
    run: str = ""

    def __post_init__(self) -> None:
        for name, most in _COUNTS.items():
            _check_whole(name, getattr(self, name), least=1, most=most)
        if self.profile not in tuple(Profile):
            raise ValueError(f"profile of a load plan must be one of {', '.join(Profile)}, not {self.profile!r}.")
        if self.peak < self.rps:
            raise ValueError(f"peak of a load plan must be at least its rps, {self.rps}, not {self.peak}.")
        _check_mix(self.mix)
        _check_whole("seed", self.seed, least=0, most=LARGEST_SEED)
        if not (_is_number(self.sampled) and 0 <= self.sampled <= 1):
            raise ValueError(f"sampled of a load plan must be a share from 0 to 1, not {self.sampled!r}.")
        if not (isinstance(self.run, str) and _RUN.fullmatch(self.run)):
            raise ValueError(f"run of a load plan is at most 63 of a-z, 0-9 and -, not {self.run!r}.")

    @property
    def segments(self) -> tuple[Segment, ...]:
        """The segments of the profile."""
        return segments(self.profile, rps=self.rps, peak=self.peak, seconds=self.seconds)


def default_peak(rps: int) -> int:
    """Return the peak of a plan without one: four times its rate, up to the largest rate of a stack."""
    return max(rps, min(rps * PEAK_OF_RPS, LARGEST_RPS))


def render_load_plan(plan: LoadPlan) -> str:
    """Return the plan as JSON for the ConfigMap, with the segments and arrivals that follow from it."""
    document = {
        **asdict(plan),
        "segments": [asdict(segment) for segment in plan.segments],
        "arrivals": arrivals(plan.segments),
    }
    return json.dumps(document, indent=2, sort_keys=True) + "\n"


def parse_load_plan(text: str) -> LoadPlan:
    """Return the plan in a text from `render_load_plan`.

    Raises:
        ValueError: The text is no JSON object, lacks a field, or has an invalid value.
    """
    document = json.loads(text)
    if not isinstance(document, Mapping):
        raise ValueError("A load plan is a JSON object.")  # noqa: TRY004 one kind of error for every invalid text
    names = [field.name for field in fields(LoadPlan)]
    absent = [name for name in names if name not in document]
    if absent:
        raise ValueError(f"{', '.join(absent)} of a load plan is missing.")
    values: dict[str, Any] = {name: document[name] for name in names}
    if values["profile"] in tuple(Profile):
        values["profile"] = Profile(values["profile"])
    return LoadPlan(**values)


def _check_whole(name: str, value: object, *, least: int, most: int = sys.maxsize) -> None:
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError(f"{name} of a load plan must be a whole number, not {value!r}.")  # noqa: TRY004
    if value < least:
        raise ValueError(f"{name} of a load plan must be at least {least}, not {value}.")
    if value > most:
        raise ValueError(f"{name} of a load plan must be at most {most:,}, not {value}.")


def _check_mix(mix: object) -> None:
    if not isinstance(mix, Mapping) or set(mix) != set(MIX):
        raise ValueError(f"mix of a load plan has exactly the keys {', '.join(MIX)}.")
    for kind, weight in mix.items():
        _check_whole(f"mix.{kind}", weight, least=0)
    if not any(mix.values()):
        raise ValueError("mix of a load plan must not be all zero: no request would be sent.")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
