"""Two things measured side by side: taken in turns, several times, and compared by medians."""

from __future__ import annotations

import random
import statistics
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Series:
    """Repeated measurements of one thing."""

    values: tuple[float, ...]

    @property
    def median(self) -> float:
        """The middle value."""
        return statistics.median(self.values)

    def as_json(self) -> dict[str, Any]:
        """Return the values, and what tells of their spread."""
        return {**asdict(self), "median": self.median, "least": min(self.values), "most": max(self.values)}


def interleaved(measure: Mapping[str, Callable[[], Value]], rounds: int) -> dict[str, list[Value]]:
    """Take each measurement once a round, in an order that changes, so that what the machine does besides hits all.

    Args:
        measure: what to measure, by name.
        rounds: how often.
    """
    values: dict[str, list[Value]] = {name: [] for name in measure}
    for _ in range(rounds):
        for name in random.sample(list(measure), len(measure)):
            values[name].append(measure[name]())
    return values


def ratios(variant: Series, base: Series) -> Series:
    """Return the variant's share of the base, round by round: a slow moment of the machine is in both."""
    return Series(tuple(one / other for one, other in zip(variant.values, base.values, strict=True)))
