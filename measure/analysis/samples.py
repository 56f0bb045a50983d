"""The samples, one for each request, and the parts that each one's time is made of."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import numpy.typing as npt

from cloudinit.sample_columns import COLUMNS
from measure.failures import NotServingError

Times = npt.NDArray[np.float64]
"""Milliseconds; NaN where unknown."""
Samples = npt.NDArray[np.void]
"""Structured array with the fields of SAMPLE."""

_TYPES: dict[str, str] = {"number": "u4", "status": "u2", "error": "u2", "good": "u1", "kind": "S8", "trace": "S16"}
SAMPLE = np.dtype([(column, _TYPES.get(column, "f8")) for column in COLUMNS])

LEAVES = ("wait", "web", "code", "pool", "database_connect", "database", "unattributed")
"""Parts that add up to a request's total time, exactly."""
TIERS = ("wait", "web", "application", "database")
"""Parts as gates and plots know them: application is its code, its pool and its connecting to the database together."""


class Recording:
    """All samples of a run, growing while they come."""

    def __init__(self) -> None:
        self._room = np.empty(4096, dtype=SAMPLE)
        self._count = 0

    @classmethod
    def of(cls, samples: Samples) -> Recording:
        """Return a recording that begins with samples, which become its own."""
        recording = cls()
        recording._room, recording._count = samples, len(samples)
        return recording

    def append(self, lines: bytes) -> Samples:
        """Take whole lines, and return them as samples.

        Raises:
            NotServingError: they are no samples.
        """
        new = parse(lines)
        needed = self._count + len(new)
        if needed > len(self._room):
            room = np.empty(max(needed, 2 * len(self._room)), dtype=SAMPLE)
            room[: self._count] = self.samples
            self._room = room
        self._room[self._count : needed] = new
        self._count = needed
        return new

    @property
    def samples(self) -> Samples:
        """What has come so far: a view that is good until the next append."""
        return self._room[: self._count]


def parse(lines: bytes) -> Samples:
    """Return lines of samples as an array.

    Raises:
        NotServingError: they are no samples.
    """
    if not lines.strip():
        return np.empty(0, dtype=SAMPLE)
    # Twice, because the comma behind an empty field is the one before the next.
    filled = lines.replace(b",,", b",nan,").replace(b",,", b",nan,")
    try:
        return np.atleast_1d(np.loadtxt(io.BytesIO(filled), delimiter=",", dtype=SAMPLE, comments=None))
    except ValueError as error:
        raise NotServingError(f"The samples can't be read: {error}.") from None


def between(samples: Samples, begin: float, end: float) -> Samples:
    """Return the samples that were due from a second until before another, counted from the run's begin."""
    due = samples["due"]
    chosen: Samples = samples[(due >= begin * 1000) & (due < end * 1000)]
    return chosen


def part(samples: Samples, name: str) -> Times:
    """Return one part of each request's time, in milliseconds.

    `total` is from when the request was due; `client`, what a generator that counts from when it was sent would report.
    `application` is `code`, `pool` and `database_connect` together. A request that the application did not answer has
    its whole time in `unattributed`.

    Raises:
        KeyError: there is no such part.
    """
    times: Times = _PARTS[name](samples)
    return times


def _or_nothing(times: Times) -> Times:
    return np.nan_to_num(times, nan=0.0)


def _code(samples: Samples) -> Times:
    rest = _or_nothing(samples["pool"]) + _or_nothing(samples["database_connect"]) + _or_nothing(samples["db"])
    difference: Times = samples["app"] - rest
    return difference


def _where_answered(samples: Samples, column: str) -> Times:
    """Return a time that is nothing, not unknown, where the application answered without spending any on it."""
    return np.where(np.isnan(samples["app"]), np.nan, _or_nothing(samples[column]))


_PARTS: dict[str, Any] = {
    "total": lambda samples: samples["wait"] + samples["client"],
    "client": lambda samples: samples["client"],
    "wait": lambda samples: samples["wait"],
    "client_connect": lambda samples: samples["client_connect"],
    "web": lambda samples: samples["client"] - samples["app"],
    "application": lambda samples: samples["app"] - _or_nothing(samples["db"]),
    "code": _code,
    "pool": lambda samples: _where_answered(samples, "pool"),
    "database_connect": lambda samples: _where_answered(samples, "database_connect"),
    "database": lambda samples: samples["db"],
    "unattributed": lambda samples: np.where(np.isnan(samples["app"]), samples["client"], 0.0),
    "application seen": lambda samples: samples["app"],
    "database seen": lambda samples: (
        samples["db"] + _or_nothing(samples["pool"]) + _or_nothing(samples["database_connect"])
    ),
}
