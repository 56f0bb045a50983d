"""One fault with load running, from a steady state to a steady state."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from typing import Any

from faults import cluster, ledger
from faults.client import Client
from faults.fault import Fault
from faults.ledger import Audit, Ledger, Standing
from faults.recovery import LEAST_BOUND, Impact, impact, recovery
from faults.stack import Stack
from kube.errors import ApiError
from lab.errors import LabError

RECOVERY_BOUND = 15  # s from a fault's end
_STEADY_SECONDS = 90.0
_READY_SECONDS = 120.0  # after a fault's end
_OBSERVED_SECONDS = 60.0  # after all was ready
_POLL_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a fault did.

    Attributes:
        fault: Its name.
        client_errors: Requests that failed.
        unavailable_s: Time without any good answer.
        recovery_s: From the fault's end until all was as before: no errors, and the latency; None: not while observed.
        lost_writes: Acknowledged balance updates that are missing in the database.
        unexpected_writes: Updates in the database that were refused, or made twice.
        seconds: How long the fault lasted.
        ready_s: From the fault's end until all machines were ready again; None: not while observed.
        requests: Requests from the fault's start on.
        failures: How many of them failed, by what came of them.
        slow_answers: Good answers above the latency's bound.
        latency_bound_ms: That bound.
        acknowledged_writes: Updates since the start of all faults that were acknowledged.
        writes_in_doubt: Those whose outcome the client doesn't know.
        problems: What broke a bound, in words.
        passed: Whether nothing did.
    """

    fault: str
    client_errors: int
    unavailable_s: float
    recovery_s: int | None
    lost_writes: int
    unexpected_writes: int
    seconds: float
    ready_s: float | None
    requests: int
    failures: dict[str, int]
    slow_answers: int
    latency_bound_ms: float
    acknowledged_writes: int
    writes_in_doubt: int
    problems: list[str]
    passed: bool

    def as_dict(self) -> dict[str, Any]:
        """Return it as results/faults.json has it."""
        return asdict(self)


class Experiments:
    """Faults injected into one stack, one after the other, with one ledger."""

    def __init__(self, stack: Stack, rate: float) -> None:
        self._stack, self._rate = stack, rate
        self._ledger = Ledger()
        self._known = Audit(frozenset(), frozenset(), frozenset())

    def run(self, fault: Fault) -> Outcome:
        """Inject a fault with load running."""
        broken: list[str] = []
        with Client(self._stack.url, str(self._stack.lab.host_address), self._ledger, self._rate) as client:
            self._wait_steady(client, broken)
            start = time.monotonic()
            try:
                fault.inject(self._stack)
            except (LabError, ApiError, OSError) as error:
                broken.append(" ".join(str(error).split()))
            end = time.monotonic()
            found, ready = self._observe(client, start, end, broken)
            failures = client.failures(start)
        audit = self._audit(broken)
        broken += problems(fault, found, audit)
        return Outcome(
            fault=fault.name,
            client_errors=found.errors,
            unavailable_s=round(found.unavailable_s, 2),
            recovery_s=found.recovery_s,
            lost_writes=len(audit.lost),
            unexpected_writes=len(audit.unexpected),
            seconds=round(end - start, 1),
            ready_s=ready,
            requests=found.requests,
            failures=failures,
            slow_answers=found.slow,
            latency_bound_ms=round(found.bound_s * 1000, 1),
            acknowledged_writes=self._ledger.count(Standing.ACKNOWLEDGED),
            writes_in_doubt=self._ledger.count(Standing.IN_DOUBT),
            problems=broken,
            passed=not broken,
        )

    def _wait_steady(self, client: Client, broken: list[str]) -> None:
        began = time.monotonic()
        while recovery(client.requests(), began, client.settled_until(), LEAST_BOUND) is None:
            if time.monotonic() - began > _STEADY_SECONDS:
                broken.append(f"not steady before the fault: {client.failures(began) or 'slow answers'}")
                return
            time.sleep(_POLL_SECONDS)

    def _observe(self, client: Client, start: float, end: float, broken: list[str]) -> tuple[Impact, float | None]:
        """Watch until all is as before and ready, or for long enough; return what it did and when all was ready."""
        unready = end
        while True:
            found = impact(client.requests(), start, end, client.settled_until())
            waiting = self._waiting()
            now = time.monotonic()
            if waiting:
                unready = now
            settled = not waiting and found.recovery_s is not None
            if settled or (now - end > _READY_SECONDS if waiting else now - unready > _OBSERVED_SECONDS):
                break
            time.sleep(_POLL_SECONDS)
        if waiting:
            broken.append(f"not ready within {_READY_SECONDS:.0f} s: {', '.join(waiting)}")
        return found, None if waiting else round(unready - end, 1)

    def _waiting(self) -> list[str]:
        """Return the machines and components that aren't ready."""
        try:
            return [*self._stack.not_ready(), *cluster.not_ready(self._stack.lab)]
        except ApiError as error:
            return [str(error)]

    def _audit(self, broken: list[str]) -> Audit:
        """Return what is new in the books since the fault before."""
        try:
            rows = [line.split("|") for line in self._stack.sql(ledger.BOOKS).splitlines()]
        except (LabError, ApiError) as error:
            broken.append(f"The database's books can't be read: {error}")
            return Audit(frozenset(), frozenset(), frozenset())
        found = self._ledger.audit((kind, int(account), int(amount)) for kind, account, amount in rows)
        known, self._known = self._known, found
        return Audit(found.lost - known.lost, found.unexpected - known.unexpected, found.unbalanced - known.unbalanced)


def problems(fault: Fault, found: Impact, audit: Audit) -> list[str]:
    """Return which bounds were broken, in words."""
    broken = []
    if fault.tolerated is not None and found.errors > fault.tolerated:
        broken.append(f"{found.errors} requests failed instead of at most {fault.tolerated}")
    if found.recovery_s is None:
        broken.append(f"not recovered {_OBSERVED_SECONDS:.0f} s after all was ready")
    elif found.recovery_s > RECOVERY_BOUND:
        broken.append(f"recovered {found.recovery_s} s after the fault's end instead of within {RECOVERY_BOUND} s")
    if audit.lost:
        broken.append(f"{len(audit.lost)} acknowledged writes are lost")
    if audit.unexpected:
        broken.append(f"{len(audit.unexpected)} writes were made though refused, or twice")
    if audit.unbalanced:
        broken.append(f"{len(audit.unbalanced)} balances are not the sum of their history")
    return broken
