"""From the stack's plan and the command line's flags to the plan of one run."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import accumulate

import numpy as np
import numpy.typing as npt

from cloudinit.load_plan import MIX, LoadPlan, Profile, Segment
from measure.failures import WrongUsageError

_DURATION = re.compile(r"(?P<number>[1-9][0-9]{0,5})(?P<unit>[smh]?)", re.ASCII)
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600}
_PEAK_OF_RPS = 4  # what a stack without load.peak has too
_LONGEST = 24 * 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class Flags:
    """What the command line says of the plan; None where it says nothing."""

    profile: str | None = None
    rps: int | None = None
    peak: int | None = None
    duration: str | None = None
    concurrency: int | None = None
    mix: str | None = None
    seed: int | None = None


def nearest(word: str, known: Iterable[str]) -> str:
    """Return what somebody who wrote a word most likely meant."""
    return difflib.get_close_matches(word, list(known), n=1, cutoff=0.0)[0]


def seconds_of(duration: str) -> int:
    """Return a duration such as 90, 60s, 10m or 1h in seconds.

    Raises:
        WrongUsageError: it is none, or longer than a day.
    """
    match = _DURATION.fullmatch(duration)
    seconds = int(match["number"]) * _SECONDS[match["unit"]] if match else 0
    if not 1 <= seconds <= _LONGEST:
        raise WrongUsageError(f"{duration!r} is no duration from a second to a day, such as 60s, 10m or 1h.")
    return seconds


def mix_of(text: str) -> dict[str, int]:
    """Return the weights that a text such as `random=80,write=5` gives; kinds that it doesn't name get none.

    Raises:
        WrongUsageError: an unknown kind, one named twice, or something else than a whole number from 0.
    """
    mix: dict[str, int] = {}
    for item in text.split(","):
        kind, equals, weight = item.strip().partition("=")
        if not equals:
            raise WrongUsageError(f"--mix wants kinds with weights, such as random=80,write=5, not {item.strip()!r}.")
        if kind not in MIX:
            allowed = ", ".join(MIX)
            raise WrongUsageError(
                f"--mix knows no kind {kind!r}: did you mean {nearest(kind, MIX)}? There are {allowed}."
            )
        if kind in mix:
            raise WrongUsageError(f"--mix names {kind} twice.")
        if not re.fullmatch(r"[0-9]{1,9}", weight, re.ASCII):
            raise WrongUsageError(f"The weight of {kind} in --mix must be a whole number, 0 or more, not {weight!r}.")
        mix[kind] = int(weight)
    return {kind: mix.get(kind, 0) for kind in MIX}


def run_plan(stack: LoadPlan, flags: Flags, run: str = "") -> LoadPlan:
    """Return the plan of a run: the stack's, with what the flags say in its place.

    Raises:
        WrongUsageError: the flags, or the flags with the stack's plan, make no plan.
    """
    rps = stack.rps if flags.rps is None else flags.rps
    peak = flags.peak
    if peak is None:
        # The stack's peak belongs to the stack's rate.
        peak = stack.peak if flags.rps is None else rps * _PEAK_OF_RPS
    if peak < rps:
        raise WrongUsageError(f"The peak, {peak}/s, is below the rate that it rises from, {rps}/s: see --peak, --rps.")
    try:
        return replace(
            stack,
            profile=stack.profile if flags.profile is None else _profile(flags.profile),
            rps=rps,
            peak=peak,
            seconds=stack.seconds if flags.duration is None else seconds_of(flags.duration),
            concurrency=stack.concurrency if flags.concurrency is None else flags.concurrency,
            mix=stack.mix if flags.mix is None else mix_of(flags.mix),
            seed=stack.seed if flags.seed is None else flags.seed,
            run=run,
        )
    except ValueError as error:
        raise WrongUsageError(str(error).replace(" of a load plan", "")) from None


def _profile(name: str) -> Profile:
    if name not in tuple(Profile):
        meant, allowed = nearest(name, Profile), ", ".join(Profile)
        raise WrongUsageError(f"There is no profile {name!r}: did you mean {meant}? There are {allowed}.")
    return Profile(name)


def arrivals_until(course: Iterable[Segment], seconds: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Return how many requests are due until each of some times, in seconds since the begin; fractions of one count."""
    parts = list(course)
    ends = list(accumulate((part.seconds for part in parts), initial=0.0))
    times = np.asarray(seconds, dtype=np.float64)
    due = np.zeros_like(times)
    for part, begin in zip(parts, ends, strict=False):
        inside = np.clip(times - begin, 0.0, part.seconds)
        due += part.begin * inside + (part.end - part.begin) * inside**2 / (2 * part.seconds)
    return due
