"""The plan of one run: the stack's, overridden by the command line."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from cloudinit.load_plan import LONGEST, MIX, LoadPlan, Profile, arrivals, default_peak
from components.settings.stack import VIRTUAL_USER_BYTES, most_in_flight
from components.settings.values import bytes_of
from measure.failures import WrongUsageError, unknown
from measure.summary import MachineSummary

_DURATION = re.compile(r"(?P<number>[1-9][0-9]{0,5})(?P<unit>[smh]?)", re.ASCII)
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600}


@dataclass(frozen=True, slots=True, kw_only=True)
class Overrides:
    """Plan settings from the command line; None keeps the stack's."""

    profile: str | None = None
    rps: int | None = None
    peak: int | None = None
    duration: str | None = None
    concurrency: int | None = None
    mix: str | None = None
    seed: int | None = None


def seconds_of(duration: str) -> int:
    """Return the seconds in a duration such as 90, 60s, 10m or 1h.

    Raises:
        WrongUsageError: It is not a duration, or longer than a day.
    """
    match = _DURATION.fullmatch(duration)
    seconds = int(match["number"]) * _SECONDS[match["unit"]] if match else 0
    if not 1 <= seconds <= LONGEST:
        raise WrongUsageError(f"{duration!r} is not a duration from 1s to 24h, such as 60s, 10m or 1h.")
    return seconds


def mix_of(text: str) -> dict[str, int]:
    """Return the weights in a text such as `random=80,write=5`; kinds that it leaves out get 0.

    Raises:
        WrongUsageError: An unknown or repeated kind, or a weight that is not a whole number.
    """
    mix: dict[str, int] = {}
    for item in text.split(","):
        kind, equals, weight = item.strip().partition("=")
        if not equals:
            raise WrongUsageError(f"--mix takes kinds with weights, such as random=80,write=5, not {item.strip()!r}.")
        if kind not in MIX:
            raise unknown("kind of request", kind, MIX)
        if kind in mix:
            raise WrongUsageError(f"--mix has {kind} twice.")
        if not re.fullmatch(r"[0-9]{1,9}", weight, re.ASCII):
            raise WrongUsageError(f"The weight of {kind} in --mix must be a whole number, 0 or more, not {weight!r}.")
        mix[kind] = int(weight)
    return {kind: mix.get(kind, 0) for kind in MIX}


def run_plan(stack: LoadPlan, overrides: Overrides) -> LoadPlan:
    """Return the plan of a run: the stack's with overrides.

    Raises:
        WrongUsageError: The overrides are invalid, alone or with the stack's plan.
    """
    rps = stack.rps if overrides.rps is None else overrides.rps
    peak = overrides.peak
    if peak is None:
        # The stack's peak only makes sense with the stack's rate.
        peak = stack.peak if overrides.rps is None else default_peak(rps)
    if peak < rps:
        raise WrongUsageError(f"The peak rate, {peak}/s, is below the initial rate, {rps}/s. Change --peak or --rps.")
    try:
        return replace(
            stack,
            profile=stack.profile if overrides.profile is None else _profile(overrides.profile),
            rps=rps,
            peak=peak,
            seconds=stack.seconds if overrides.duration is None else seconds_of(overrides.duration),
            concurrency=stack.concurrency if overrides.concurrency is None else overrides.concurrency,
            mix=stack.mix if overrides.mix is None else mix_of(overrides.mix),
            seed=stack.seed if overrides.seed is None else overrides.seed,
            run="",
        )
    except ValueError as error:
        raise WrongUsageError(str(error).replace(" of a load plan", "")) from None


def check_memory(plan: LoadPlan, machines: Sequence[MachineSummary]) -> None:
    """Check that the generator's machine has the memory for a plan's connections, as far as that can be read.

    Raises:
        WrongUsageError: It has not: the generator would be killed during the run.
    """
    found = [one for tier in ("load", "web") for one in machines if one.tier == tier]
    if not found or found[0].memory is None:
        return
    most, needed = most_in_flight(bytes_of(found[0].memory)), min(plan.concurrency, arrivals(plan.segments))
    if needed > most:
        raise WrongUsageError(
            f"{needed:,} requests in flight need more memory than the {found[0].memory} of {found[0].name}, which "
            f"generates the load: each takes {VIRTUAL_USER_BYTES // 1000} KB. Use at most --concurrency {most}."
        )


def _profile(name: str) -> Profile:
    if name not in tuple(Profile):
        raise unknown("profile", name, Profile)
    return Profile(name)
