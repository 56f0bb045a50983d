"""Gates: limits that a run has to keep."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping

import numpy as np

from measure.analysis.samples import Samples, is_sent, latencies
from measure.analysis.statistics import QUANTILES, needed, percentiles
from measure.failures import NotServingError, WrongUsageError, unknown
from measure.formatting import share
from measure.summary import GateResult

ERROR_RATE, DELIVERED_SHARE = "error_rate", "delivered_share"
SHARES = (ERROR_RATE, DELIVERED_SHARE)
GATES = (
    *(f"{name}.{percentile}" for name in ("total", "web", "application", "database") for percentile in ("p95", "p99")),
    *SHARES,
)
DEFAULT_GATES = {ERROR_RATE: 0.01, DELIVERED_SHARE: 0.99}
"""Gates of every run: without them, a run whose requests fail fast would pass any limit on latency."""
_OFF = "none"


def stack_gates(text: str | None) -> dict[str, float]:
    """Return the limits in the stack's gates.json, by gate, and the defaults of others.

    Raises:
        NotServingError: The text can't be parsed.
    """
    try:
        document = json.loads(text or "{}")
        flat = {
            f"{name}.{inner}" if inner else name: limit
            for name, value in document.items()
            for inner, limit in (value.items() if isinstance(value, Mapping) else [("", value)])
        }
        given = {name: float(limit) for name, limit in flat.items() if limit is not None and name in GATES}
    except (AttributeError, TypeError, ValueError) as error:
        raise NotServingError(f"The stack's gates.json can't be parsed: {error}. Run `pulumi up` again.") from None
    return DEFAULT_GATES | given


def with_flags(gates: Mapping[str, float], flags: Iterable[str]) -> dict[str, float]:
    """Return gates overridden by the command line's: `name=limit`, or `name=none` to remove one.

    Raises:
        WrongUsageError: An unknown gate or an invalid limit.
    """
    found = dict(gates)
    for flag in flags:
        name, equals, limit = (word.strip() for word in flag.partition("="))
        if name not in GATES:
            raise unknown("gate", name, GATES)
        if not equals:
            raise WrongUsageError(f"--gate {name} needs a limit, such as --gate {name}={_example(name)}.")
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
        raise WrongUsageError(f"Gate {name} must be a share from 0 to 1, such as {_example(name)}, not {text!r}.")
    if not 0 <= limit < math.inf:
        raise WrongUsageError(f"Gate {name} must be a time in milliseconds, such as {_example(name)}, not {text!r}.")
    return limit


def _example(name: str) -> str:
    return {ERROR_RATE: "0.01", DELIVERED_SHARE: "0.999"}.get(name, "50")


def judge(gates: Mapping[str, float], samples: Samples) -> list[GateResult]:
    """Return the result of each gate on all scheduled requests."""
    return [_judge(name, limit, samples) for name, limit in gates.items()]


def _judge(name: str, limit: float, samples: Samples) -> GateResult:
    sent, unanswered, least = is_sent(samples), 0, 1
    if name == DELIVERED_SHARE:
        counted, measured = len(samples), float(np.mean(sent)) if len(samples) else None
    elif name == ERROR_RATE:
        counted = int(np.count_nonzero(sent))
        measured = float(np.mean(samples["good"][sent] == 0)) if counted else None
    else:
        tier, _, percentile = name.partition(".")
        times = latencies(samples, tier)
        counted, unanswered = int(np.count_nonzero(~np.isnan(times))), int(np.count_nonzero(np.isinf(times)))
        least = needed(percentile)
        (measured,) = percentiles(times, [QUANTILES[percentile]])
        measured = None if measured == math.inf else measured
    kept = measured is not None and (measured >= limit if name == DELIVERED_SHARE else measured <= limit)
    return GateResult(
        gate=name,
        limit=limit,
        measured=measured,
        requests=counted,
        needed=least,
        unanswered=unanswered,
        passed=kept and counted >= least,
    )


def too_few(result: GateResult) -> bool:
    """Return whether a gate failed for lack of requests, whatever was measured."""
    return result.measured is not None and result.requests < result.needed


def counted(gate: str) -> str:
    """Return what a gate counts, and from when."""
    if gate == DELIVERED_SHARE:
        return "delivery ratio: requests sent, of all scheduled ones (open model)"
    if gate == ERROR_RATE:
        return "requests with a wrong response or none, of those sent"
    name, _, percentile = gate.partition(".p")
    of = "from their scheduled time to the response" if name == "total" else f"time in the {name} tier alone"
    return f"{percentile}th percentile of all scheduled requests, {of}"


def limit_text(result: GateResult) -> str:
    """Return a gate's limit with its unit, and whether it is the default."""
    text = _value_text(result.gate, result.limit)
    return f"{text} (default)" if DEFAULT_GATES.get(result.gate) == result.limit else text


def measured_text(result: GateResult) -> str:
    """Return what was measured for a gate, with its unit."""
    if not result.requests:
        return "unknown (no request has it)"
    if result.measured is None:
        return f"not answered: {result.unanswered:,} of {result.requests:,} requests"
    if too_few(result):
        return f"unknown: not enough samples ({result.requests:,}, needs {result.needed:,})"
    return _value_text(result.gate, result.measured)


def _value_text(gate: str, value: float) -> str:
    return share(value) if gate in SHARES else f"{value:.4g} ms"


def describe_failures(results: Iterable[GateResult]) -> str:
    """Return the failed gates in words, such as `total.p99 is 61.2 ms (limit 50 ms)`; empty if all passed."""
    return ", ".join(
        f"{one.gate} is {measured_text(one)} "
        f"({'minimum' if one.gate == DELIVERED_SHARE else 'limit'} {_value_text(one.gate, one.limit)})"
        for one in results
        if not one.passed
    )
