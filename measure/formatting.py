"""Numbers and load plans as text."""

from __future__ import annotations

import math

from cloudinit.fault_plan import Fault
from cloudinit.load_plan import LoadPlan, Profile


def milliseconds(value: float | None) -> str:
    """Return a time with its significant digits, `-` for None; an infinite one is that of an unanswered request."""
    if value is None:
        return "-"
    if value == math.inf:
        return "not answered"
    return f"{value:,.0f}" if value >= 1000 else f"{value:.1f}" if value >= 100 else f"{value:.2f}"


def seconds(value: float | None) -> str:
    """Return a time in seconds, `-` for None; an infinite one is that of a machine that never came so far."""
    if value is None:
        return "-"
    return "not reached" if value == math.inf else f"{value:.2f} s"


def share(value: float | None) -> str:
    """Return a share as a percentage, `-` for None."""
    if value is None:
        return "-"
    # 99.996 % must not be rounded to 100 %.
    return f"{value:.2%}" if value in (0, 1) or 0.0001 <= value <= 0.9999 else f"{value:.4%}"


def rate(value: float) -> str:
    """Return a rate in requests per second."""
    return f"{value:,.0f}/s" if value >= 10 else f"{value:.1f}/s"


def describe(plan: LoadPlan) -> str:
    """Return a load plan in one line, such as `spike, 50/s to 500/s, 60 s, 20 connections`."""
    steady = plan.profile in (Profile.CONSTANT, Profile.SOAK)
    rates = f"{plan.rps}/s" if steady else f"{plan.rps}/s to {plan.peak}/s"
    return f"{plan.profile}, {rates}, {plan.seconds} s, {plan.concurrency} connections"


def timing(fault: Fault) -> str:
    """Return in words when a fault is in force."""
    first = f"from {fault.start:g} s" + (f" for {fault.duration:g} s" if fault.duration else "")
    return first + (f", {fault.repeat} times, every {fault.interval:g} s" if fault.repeat > 1 else "")
