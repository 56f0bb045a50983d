"""Gates: what a run has to reach to pass."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping

import numpy as np

from measure.analysis.samples import Samples, part
from measure.analysis.statistics import QUANTILES, percentiles
from measure.failures import NotServingError, WrongUsageError
from measure.run.plan import nearest
from measure.summary import GateResult

ERROR_RATE, DELIVERED_SHARE = "error_rate", "delivered_share"
SHARES = (ERROR_RATE, DELIVERED_SHARE)
TIMED = tuple(
    f"{name}.{percentile}" for name in ("total", "web", "application", "database") for percentile in ("p95", "p99")
)
GATES = (*TIMED, *SHARES)
_OFF = "none"


def stack_gates(text: str | None) -> dict[str, float]:
    """Return the gates of the stack's gates.json; the limit by name.

    Raises:
        NotServingError: the text is none that this program knows.
    """
    try:
        document = json.loads(text or "{}")
        flat = {
            f"{name}.{inner}" if inner else name: limit
            for name, value in document.items()
            for inner, limit in (value.items() if isinstance(value, Mapping) else [("", value)])
        }
        return {name: float(limit) for name, limit in flat.items() if limit is not None and name in GATES}
    except (AttributeError, TypeError, ValueError) as error:
        raise NotServingError(f"The stack's gates.json can't be read: {error}. Run `pulumi up` again.") from None


def with_flags(gates: Mapping[str, float], flags: Iterable[str]) -> dict[str, float]:
    """Return gates with those of the command line in their place: `name=limit`, or `name=none` to lift one.

    Raises:
        WrongUsageError: an unknown gate, or a limit that none can be.
    """
    found = dict(gates)
    for flag in flags:
        name, equals, limit = (word.strip() for word in flag.partition("="))
        if name not in GATES:
            allowed = ", ".join(GATES)
            raise WrongUsageError(
                f"There is no gate {name!r}: did you mean {nearest(name, GATES)}? There are {allowed}."
            )
        if not equals:
            raise WrongUsageError(f"--gate {name} wants a limit: --gate {name}={_example(name)}.")
        if limit == _OFF:
            found.pop(name, None)
        else:
            found[name] = _limit(name, limit)
    return found


def _limit(name: str, text: str) -> float:
    try:
        limit = float(text)
    except ValueError:
        limit = math.nan
    if name in SHARES and not 0 <= limit <= 1:
        raise WrongUsageError(f"The gate {name} is a share from 0 to 1, such as {_example(name)}, not {text!r}.")
    if not 0 <= limit < math.inf:
        raise WrongUsageError(f"The gate {name} is a time in milliseconds, such as {_example(name)}, not {text!r}.")
    return limit


def _example(name: str) -> str:
    return {ERROR_RATE: "0.01", DELIVERED_SHARE: "0.999"}.get(name, "50")


def judge(gates: Mapping[str, float], samples: Samples, *, asked: int) -> list[GateResult]:
    """Return each gate with what was measured.

    Args:
        gates: limit by name.
        samples: the requests that were sent.
        asked: how many should have been.
    """
    results = []
    for name, limit in gates.items():
        measured = _measured(name, samples, asked)
        passed = measured is not None and (measured >= limit if name == DELIVERED_SHARE else measured <= limit)
        results.append(GateResult(gate=name, limit=limit, measured=measured, passed=passed))
    return results


def _measured(name: str, samples: Samples, asked: int) -> float | None:
    if name == DELIVERED_SHARE:
        return len(samples) / asked if asked else None
    if not len(samples):
        return None
    if name == ERROR_RATE:
        return float(np.mean(samples["good"] == 0))
    tier, _, percentile = name.partition(".")
    return percentiles(part(samples, tier), [QUANTILES[percentile]])[0]


def words(result: GateResult) -> str:
    """Say in words how a gate went, such as `total.p99 is 61.2 ms, at most 50 ms is allowed`."""
    share = result.gate in SHARES
    limit = _value(result.limit, share)
    allowed = f"at least {limit} is wanted" if result.gate == DELIVERED_SHARE else f"at most {limit} is allowed"
    return f"{result.gate} is {_value(result.measured, share)}, {allowed}"


def _value(value: float | None, share: bool) -> str:
    if value is None:
        return "unknown (no request tells it)"
    return f"{value * 100:.4g} %" if share else f"{value:.4g} ms"
