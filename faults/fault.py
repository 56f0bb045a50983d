"""What a fault is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from faults.stack import Stack

Inject = Callable[[Stack], None]


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault.

    Attributes:
        name: Its name.
        sentence: What happens.
        inject: Injects it, and returns once it has ended: at once, or after undoing it.
        tolerated: How many requests may fail; None for any number.
    """

    name: str
    sentence: str
    inject: Inject
    tolerated: int | None = None


def fault(*, tolerated: int | None = None) -> Callable[[Inject], Fault]:
    """Make a function a fault: its name is the fault's, its docstring the sentence."""

    def made(inject: Inject) -> Fault:
        name = getattr(inject, "__name__", "").replace("_", "-")
        return Fault(name, " ".join((inject.__doc__ or "").split()), inject, tolerated)

    return made
