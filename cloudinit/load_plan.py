"""The load plan: what the load generator sends, as the program, the guest and a measuring run pass it on.

It runs here and, as the same file, in the guest (`files/load/load_plan.py` is a link to it).
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from fractions import Fraction
from math import floor
from typing import Any

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


MIX = ("random", "hot", "missing", "slow", "write")
LARGEST_SEED = 2**32 - 1
_RUN = re.compile(r"[a-z0-9-]{0,63}")
LARGEST_RPS = 100_000
PEAK_OF_RPS = 4
_COUNTS = ("rps", "peak", "seconds", "concurrency", "accounts")


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadPlan:
    """What the generator sends.

    Raises:
        ValueError: A value that no load can be generated with; the words begin with the field.
    """

    profile: Profile
    """Course of the rate through the plan's time."""
    rps: int
    """Requests that begin each second at the begin of the profile, whatever the answers take."""
    peak: int
    """Requests that begin each second at its highest; no less than rps."""
    seconds: int
    """Length of the profile."""
    concurrency: int
    """Requests under way at once, at most; beyond it they wait, and their waiting counts as latency."""
    accounts: int
    """Accounts that exist: 100,000 times the database's scale."""
    mix: dict[str, int]
    """Weights of the kinds: any account at `random`, one `hot` account, accounts that are `missing` (404 is what is
    expected), a `slow` query, a `write`."""
    seed: int
    """What the choice of kinds and accounts follows from, 0 to LARGEST_SEED."""
    sampled: float = 1.0
    """Share of the requests whose trace is sampled, 0 to 1."""
    run: str = ""
    """Name of a run that is done once; empty: the stack's own plan, which begins anew whenever it ends."""

    def __post_init__(self) -> None:
        for name in _COUNTS:
            _check_whole(name, getattr(self, name), least=1)
        if self.profile not in tuple(Profile):
            raise ValueError(f"profile of a load plan must be one of {', '.join(Profile)}, not {self.profile!r}.")
        if self.peak < self.rps:
            raise ValueError(f"peak of a load plan must be at least its rps, {self.rps}, not {self.peak}.")
        _check_mix(self.mix)
        _check_whole("seed", self.seed, least=0)
        if self.seed > LARGEST_SEED:
            raise ValueError(f"seed of a load plan must be at most {LARGEST_SEED}, not {self.seed}.")
        if not (_is_number(self.sampled) and 0 <= self.sampled <= 1):
            raise ValueError(f"sampled of a load plan must be a share from 0 to 1, not {self.sampled!r}.")
        if not (isinstance(self.run, str) and _RUN.fullmatch(self.run)):
            raise ValueError(f"run of a load plan is at most 63 of a-z, 0-9 and -, not {self.run!r}.")

    @property
    def segments(self) -> tuple[Segment, ...]:
        """The course of the rate."""
        return segments(self.profile, rps=self.rps, peak=self.peak, seconds=self.seconds)


def default_peak(rps: int) -> int:
    """Return the peak of a plan without one: four times its rate, up to the largest rate of a stack."""
    return max(rps, min(rps * PEAK_OF_RPS, LARGEST_RPS))


def render_load_plan(plan: LoadPlan) -> str:
    """The plan as JSON, for a key of the ConfigMap; with what follows from it, so that no reader must work it out."""
    document = {
        **asdict(plan),
        "segments": [asdict(segment) for segment in plan.segments],
        "arrivals": arrivals(plan.segments),
    }
    return json.dumps(document, indent=2, sort_keys=True) + "\n"


def parse_load_plan(text: str) -> LoadPlan:
    """The plan that a text from `render_load_plan` holds.

    Raises:
        ValueError: It is no JSON object, lacks a field, or holds a value that a plan refuses.
    """
    document = json.loads(text)
    if not isinstance(document, Mapping):
        raise ValueError("A load plan is a JSON object.")  # noqa: TRY004 one kind of error for every bad text
    names = [field.name for field in fields(LoadPlan)]
    absent = [name for name in names if name not in document]
    if absent:
        raise ValueError(f"{', '.join(absent)} of a load plan is missing.")
    values: dict[str, Any] = {name: document[name] for name in names}
    if values["profile"] in tuple(Profile):
        values["profile"] = Profile(values["profile"])
    return LoadPlan(**values)


def _check_whole(name: str, value: object, *, least: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError(f"{name} of a load plan must be a whole number, not {value!r}.")  # noqa: TRY004
    if value < least:
        raise ValueError(f"{name} of a load plan must be at least {least}, not {value}.")


def _check_mix(mix: object) -> None:
    if not isinstance(mix, Mapping) or set(mix) != set(MIX):
        raise ValueError(f"mix of a load plan has exactly the keys {', '.join(MIX)}.")
    for kind, weight in mix.items():
        _check_whole(f"mix.{kind}", weight, least=0)
    if not any(mix.values()):
        raise ValueError("mix of a load plan must not be all zero: nothing would be asked for.")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
