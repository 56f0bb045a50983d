"""Synthetic runs: an open queue in front of tiers whose times the test sets."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cloudinit.load_plan import LoadPlan, Profile, arrivals
from measure.analysis.recording import Recording
from measure.analysis.samples import Samples, parse
from measure.analysis.schedule import scheduled_until, with_unsent
from measure.analysis.summarize import summarize
from measure.analysis.timeline import timeline
from measure.output.files import SamplesFile, write
from measure.summary import Config, MachineSummary

#        number,due,sent,wait,client_connect,client,app,pool,database_connect,db,status,error,good,kind,trace
ONE = b"7,1000.000,1010.000,10.000,0.500,8.000,5.000,1.000,0.500,2.000,200,0,1,random,00000000000000ff\n"
LOST = b"8,1001.000,1001.000,0.000,0.500,10000.000,,,,,0,1050,0,slow,00000000000000fe\n"
"""A request without a response."""
GRACE = 1000.0
TRACE = "abcdef0123456789"


@dataclass(frozen=True, slots=True)
class Response:
    """What the tiers do with one request; times in milliseconds."""

    web: float = 1.0
    code: float = 0.5
    pool: float = 0.1
    connect: float | None = None
    database: float | None = 0.4
    status: int = 200
    good: bool = True


Service = Callable[[float, int], Response]
"""From a request's send time (ms since the start) and number to its response."""


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


def steady(_sent: float, number: int) -> Response:
    """Return a healthy response, some slower than others."""
    return Response(web=1.0 + number % 10 / 20, database=0.4 + number % 7 / 50)


def stalled(start: float, end: float) -> Service:
    """Return a service whose application stalls between two times (ms): requests sent then take until its end."""

    def respond(sent: float, number: int) -> Response:
        healthy = steady(sent, number)
        return Response(code=end - sent, web=healthy.web) if start <= sent < end else healthy

    return respond


Span = tuple[float, float]
"""Two times, ms since the start."""


def requests(course: LoadPlan, service: Service = steady, standstill: Span = (0.0, 0.0)) -> Iterator[tuple[float, str]]:
    """Yield each request's end (ms) and sample line, in the order of their ends.

    Args:
        course: The load.
        service: What the tiers do.
        standstill: When the generator itself sends nothing.
    """
    grid = np.linspace(0, course.seconds, course.seconds * 200 + 1)
    numbers = np.arange(arrivals(course.segments))
    scheduled = np.interp(numbers, scheduled_until(course.segments, grid), grid) * 1000
    free = [0.0] * course.concurrency
    ended = []
    for number, due in enumerate(scheduled.tolist()):
        ready = max(due, heapq.heappop(free))
        sent = standstill[1] if standstill[0] <= ready < standstill[1] else ready
        if sent > course.seconds * 1000 + GRACE:
            break
        line, client = _line(number, due, ready - due, sent, service(sent, number))
        heapq.heappush(free, sent + client)
        ended.append((sent + client, line))
    yield from sorted(ended)


def _line(number: int, due: float, wait: float, sent: float, response: Response) -> tuple[str, float]:
    inside = response.code + response.pool + (response.connect or 0.0) + (response.database or 0.0)
    client = response.web + (inside if response.status else 0.0)
    tiers = (inside, response.pool, response.connect, response.database) if response.status else (None,) * 4
    times = ",".join("" if one is None else f"{one:.3f}" for one in (due, sent, wait, 0.02, client, *tiers))
    kind = ("random", "hot", "missing")[number % 3]
    outcome = f"{response.status},{0 if response.status else 1050},{int(response.good)}"
    return f"{number},{times},{outcome},{kind},{number:016x}\n", client


def lines(course: LoadPlan, service: Service = steady, until: float = np.inf) -> bytes:
    """Return the sample lines of the requests that ended before a time (s)."""
    return "".join(line for at, line in requests(course, service) if at < until * 1000).encode()


def record(course: LoadPlan, text: bytes | None = None) -> Recording:
    """Return the recording of a run that has ended, with the given sample lines or a steady service's."""
    recording = Recording.of(course, {})
    recording.buffer.append(lines(course) if text is None else text)
    recording.started, recording.elapsed, recording.trace = 1_800_000_000.5, course.seconds + 20.0, TRACE
    if recording.steps:
        recording.steps.judge(recording.samples, recording.elapsed, ended=True)
    return recording


def samples(course: LoadPlan, service: Service = steady, standstill: Span = (0.0, 0.0)) -> Samples:
    return parse("".join(line for _, line in requests(course, service, standstill)).encode())


def config(gates: Mapping[str, float] | None = None, machines: tuple[MachineSummary, ...] = ()) -> Config:
    gates = dict(gates or {})
    return Config(namespace="n", name="m", target="http://web", stack_plan={}, gates=gates, machines=list(machines))


def write_run(
    directory: Path, course: LoadPlan, service: Service = steady, configuration: Config | None = None
) -> Path:
    """Write the files of a run and return its directory."""
    directory.mkdir(parents=True)
    text = lines(course, service)
    recording = record(course, text)
    with SamplesFile(directory) as file:
        file.append(text, TRACE)
    summary = summarize(recording, configuration or config(), versions={"k6": "2.1.0"})
    every = with_unsent(recording.samples, course, summary.delivery.scheduled)
    write(directory, summary, timeline(every, course))
    return directory
