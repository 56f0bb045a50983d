"""Samples of a run that never happened: an open queue before a chain of tiers whose times the test sets."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from cloudinit.load_plan import LoadPlan, Profile, arrivals
from measure.analysis.samples import Samples, parse
from measure.run.plan import arrivals_until

GRACE = 1000.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What the tiers do with one request; times in milliseconds."""

    web: float = 1.0
    code: float = 0.5
    pool: float = 0.1
    connect: float | None = None
    database: float | None = 0.4
    status: int = 200
    good: bool = True


Service = Callable[[float, int], Answer]
"""From when a request is sent (ms since the run's begin) and its number to what happens to it."""


def plan(profile: Profile = Profile.CONSTANT, **changes: object) -> LoadPlan:
    values: dict[str, object] = {
        "profile": profile,
        "rps": 100,
        "peak": 400,
        "seconds": 10,
        "concurrency": 10,
        "accounts": 1_000_000,
        "mix": {"random": 80, "hot": 15, "missing": 5, "slow": 0, "write": 0},
        "seed": 1,
        **changes,
    }
    return LoadPlan(**values)  # type: ignore[arg-type]


def steady(_sent: float, number: int) -> Answer:
    """Return a healthy answer, some slower than others."""
    return Answer(web=1.0 + number % 10 / 20, database=0.4 + number % 7 / 50)


def due_times(course: LoadPlan) -> np.typing.NDArray[np.float64]:
    """Return when each request is due, in ms: when the rate's integral reaches its number."""
    grid = np.linspace(0, course.seconds, course.seconds * 200 + 1)
    return np.interp(np.arange(arrivals(course.segments)), arrivals_until(course.segments, grid), grid) * 1000


def requests(course: LoadPlan, service: Service = steady) -> Iterator[tuple[float, str]]:
    """Yield (when it ended in ms, line) of each request, in the order in which they end."""
    free = [0.0] * course.concurrency
    ended = []
    for number, due in enumerate(due_times(course)):
        begin = heapq.heappop(free)
        sent = max(float(due), begin)
        if sent > course.seconds * 1000 + GRACE:
            break
        answer = service(sent, number)
        line, client = _line(number, float(due), sent, answer)
        heapq.heappush(free, sent + client)
        ended.append((sent + client, line))
    yield from sorted(ended)


def _line(number: int, due: float, sent: float, answer: Answer) -> tuple[str, float]:
    inside = answer.code + answer.pool + (answer.connect or 0.0) + (answer.database or 0.0)
    client = answer.web + (inside if answer.status else 0.0)
    wait = sent - due if sent > due else 0.0
    times: tuple[float | None, ...] = (
        due,
        sent,
        wait,
        0.02,
        client,
        inside,
        answer.pool,
        answer.connect,
        answer.database,
    )
    if not answer.status:
        times = (*times[:5], None, None, None, None)
    kind = ("random", "hot", "missing")[number % 3]
    said = ",".join("" if one is None else f"{one:.3f}" for one in times)
    return (
        f"{number},{said},{answer.status},{0 if answer.status else 1050},{int(answer.good)},{kind},{number:016x}\n",
        client,
    )


def samples(course: LoadPlan, service: Service = steady) -> Samples:
    return parse("".join(line for _, line in requests(course, service)).encode())


def frozen(begin: float, end: float, healthy: Service = steady) -> Service:
    """Return a service whose application stands still between two times: who comes then has to wait for its end."""

    def answer(sent: float, number: int) -> Answer:
        well = healthy(sent, number)
        return Answer(code=end - sent, web=well.web) if begin <= sent < end else well

    return answer
