"""Samples, one per request, and the parts of a request's latency."""

from __future__ import annotations

import io
from collections.abc import Callable

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

LEAVES = ("generator", "wait", "web", "code", "pool", "database_connect", "database", "unattributed")
"""Parts that add up to a request's total latency, exactly."""
TIERS = ("web", "application", "database")
"""Parts with gates; `application` is `code`, `pool` and `database_connect` together."""
PARTS = ("generator", "wait", *TIERS)
"""Parts in plots and tables."""


def parse(lines: bytes) -> Samples:
    """Parse lines of samples.

    Raises:
        NotServingError: The lines are not samples.
    """
    if not lines.strip():
        return np.empty(0, dtype=SAMPLE)
    # Twice, because adjacent empty fields share a comma.
    filled = lines.replace(b",,", b",nan,").replace(b",,", b",nan,")
    try:
        return np.atleast_1d(np.loadtxt(io.BytesIO(filled), delimiter=",", dtype=SAMPLE, comments=None))
    except ValueError as error:
        raise NotServingError(f"The samples can't be parsed: {error}.") from None


def between(samples: Samples, start: float, end: float) -> Samples:
    """Return the samples scheduled from `start` until before `end`, in seconds since the start of the run."""
    due = samples["due"]
    chosen: Samples = samples[(due >= start * 1000) & (due < end * 1000)]
    return chosen


def part(samples: Samples, name: str) -> Times:
    """Return one part of each request's latency, in milliseconds.

    `total` counts from the scheduled time to the response, `client` from the send time. Between the two times the
    request had to `wait` for a free connection; all else is the lateness of the `generator` itself. A request that a
    timer sent a moment early is 0 late. All time of a request that the application did not answer is in `unattributed`.

    Raises:
        KeyError: There is no such part.
    """
    return _OF[name](samples)


def is_sent(samples: Samples) -> npt.NDArray[np.bool_]:
    """Return which of the scheduled requests were sent."""
    found: npt.NDArray[np.bool_] = ~np.isnan(samples["sent"])
    return found


def latencies(samples: Samples, name: str) -> Times:
    """Return one part of each scheduled request's latency, as percentiles count it, in milliseconds.

    A request that failed in or before the part is slower than any that did not: infinite. NaN if a request has no such
    part.
    """
    match name:
        case "generator" | "unattributed":  # of the requests that were sent
            failed = np.zeros(len(samples), dtype=bool)
        case "wait":
            failed = ~is_sent(samples)
        case "total":
            failed = samples["status"] == 0
        case "web":
            failed = (samples["good"] == 0) & np.isnan(samples["app"])
        case _:  # an error doesn't say whether the application or the database failed
            failed = samples["good"] == 0
    return np.where(failed, np.inf, part(samples, name))


def _known(samples: Samples, *columns: str) -> Times:
    """Return the sum of some columns, counting unknown times as 0."""
    times: Times = sum((np.nan_to_num(samples[column]) for column in columns), np.zeros(len(samples)))
    return times


def _if_answered(samples: Samples, column: str) -> Times:
    """Return a column that is 0, not unknown, for requests that the application answered without it."""
    return np.where(np.isnan(samples["app"]), np.nan, _known(samples, column))


def _delay(samples: Samples) -> Times:
    """Return the time from the scheduled time to the send time."""
    times: Times = np.maximum(samples["sent"] - samples["due"], 0.0)
    return times


def _wait(samples: Samples) -> Times:
    times: Times = np.minimum(samples["wait"], _delay(samples))
    return times


_OF: dict[str, Callable[[Samples], Times]] = {
    "total": lambda samples: _delay(samples) + samples["client"],
    "client": lambda samples: samples["client"],
    "generator": lambda samples: _delay(samples) - _wait(samples),
    "wait": _wait,
    "client_connect": lambda samples: samples["client_connect"],
    "web": lambda samples: samples["client"] - samples["app"],
    "application": lambda samples: samples["app"] - _known(samples, "db"),
    "code": lambda samples: samples["app"] - _known(samples, "pool", "database_connect", "db"),
    "pool": lambda samples: _if_answered(samples, "pool"),
    "database_connect": lambda samples: _if_answered(samples, "database_connect"),
    "database": lambda samples: samples["db"],
    "unattributed": lambda samples: np.where(np.isnan(samples["app"]), samples["client"], 0.0),
    "application response": lambda samples: samples["app"],
    "database response": lambda samples: samples["db"] + _known(samples, "pool", "database_connect"),
}
