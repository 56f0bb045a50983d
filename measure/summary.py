"""The schema of summary.json. docs/summary.schema.json is made of it: `python -m measure.summary`."""

from __future__ import annotations

import json
import sys
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue


class Model(BaseModel):
    """A part of the summary; times are in milliseconds, shares from 0 to 1, unless the field says otherwise."""

    model_config = ConfigDict(extra="forbid")


class Distribution(Model):
    """What the times of many requests are like, in milliseconds. Percentiles are by nearest rank."""

    count: int = Field(description="Requests of which this time is known.")
    mean: float
    p50: float
    p90: float
    p95: float
    p99: float
    p999: float = Field(description="The 99.9th percentile.")
    max: float


class Share(Model):
    """What one part has in the total time. The parts' means add up to the total's exactly."""

    part: str
    mean: float = Field(description="Over all requests, ms.")
    share: float = Field(description="Of the sum of all requests' total time.")
    p50: float = Field(description="Median of this part over all requests, ms.")
    tail_mean: float = Field(description="Mean over the slowest 1 % of requests, ms.")
    tail_share: float = Field(description="Share of the total time of the slowest 1 % of requests.")


class KindSummary(Model):
    """The numbers of one kind of request."""

    requests: int
    errors: int
    latency: dict[str, Distribution]


class GateResult(Model):
    """A gate, and what was measured."""

    gate: str = Field(description="Such as total.p99, error_rate or delivered_share.")
    limit: float = Field(description="Most that is allowed (ms or a share); of delivered_share the least.")
    measured: float | None = Field(description="None: nothing was measured that could be compared, which fails.")
    passed: bool


class Verdict(Model):
    """How the run ended."""

    outcome: Literal["passed", "failed", "not serving", "timed out", "interrupted"]
    exit_code: int
    reason: str
    gates: list[GateResult] = Field(description="Of a stress run: on the last stair that was judged.")


class Run(Model):
    """When the run was."""

    id: str
    started: str | None = Field(description="When the first request was due; ISO 8601, UTC, the generator's clock.")
    seconds: float = Field(description="From then until the last request had its answer.")
    trace: str = Field(description="High half of the trace ids of the run's requests, 16 hexadecimal digits.")


class Segment(Model):
    """A stretch of the plan in which the rate changes evenly."""

    seconds: float
    begin: float = Field(description="Requests per second at its begin.")
    end: float = Field(description="Requests per second at its end.")


class Plan(Model):
    """What was asked for."""

    profile: str
    rps: int
    peak: int
    seconds: int
    concurrency: int
    accounts: int
    mix: dict[str, int]
    seed: int
    sampled: float
    segments: list[Segment]


class Machine(Model):
    """A virtual machine of the stack, as far as it could be read."""

    name: str
    tier: str
    vcpus: int | None
    memory: str | None
    image: str | None


class StorageJob(Model):
    """What a disk did of one kind of work."""

    operations_per_second: float
    bytes_per_second: int
    p50_ms: float
    p99_ms: float = Field(description="Of a log write, until it is on the disk.")


class Storage(Model):
    """What fio measured on the database's data disk, at a time of its own: no part of the run."""

    measured: str
    seconds: int = Field(description="How long each job took.")
    jobs: dict[str, StorageJob]


class Config(Model):
    """What was measured, and how."""

    namespace: str
    name: str
    target: str = Field(description="The URL that the generator sends requests to.")
    stack_plan: dict[str, JsonValue] = Field(description="The stack's own plan.")
    gates: dict[str, float] = Field(description="The gates in force: the stack's and the command line's.")
    machines: list[Machine]


class Delivery(Model):
    """Whether what was asked for was sent, and how."""

    asked: int = Field(description="Requests that were due (of a run that ended early: until then).")
    sent: int
    delivered_share: float
    good: int = Field(description="Requests with the expected answer.")
    errors: int
    error_rate: float = Field(description="Errors of those sent.")
    errors_by: dict[str, int] = Field(description="Errors by HTTP status or the generator's error code.")
    waited: int = Field(description="Requests that waited because every connection was busy when they were due.")
    waited_share: float
    busy_mean: float = Field(description="Connections with a request under way, on average.")
    busy_max: int
    lateness_p99: float | None = Field(
        description="The generator's own delay, ms: from when a request was due and a connection free."
    )
    evenness: float | None = Field(description="Variance over mean of the requests sent in each 10 ms.")
    problem: str | None = Field(description="Where not all was delivered: that, and why.")


class Invariants(Model):
    """Whether each request's times are possible: client >= application >= database."""

    requests: int = Field(description="Requests of which all three are known.")
    held: int


class Stair(Model):
    """One stair of a stress run."""

    rate: float = Field(description="Requests per second.")
    begin: float = Field(description="Seconds since the run's begin.")
    end: float
    asked: int
    sent: int
    errors: int
    p50: float | None
    p99: float | None
    gates: list[GateResult]
    held: bool


class Stress(Model):
    """The stairs that were climbed, and what broke."""

    stairs: list[Stair]
    limit: str | None = Field(description="The rate that broke, what broke and what grew; None: every stair held.")


class Drift(Model):
    """How a part changed through a soak run: its last fifth against its first."""

    part: str
    first_p50: float
    last_p50: float
    first_p99: float
    last_p99: float
    change: float = Field(description="Of the median: 0.1 is a tenth slower.")


class SlowRequest(Model):
    """One of the slowest requests, for looking it up in logs and traces."""

    number: int
    due: float = Field(description="Milliseconds since the run's begin.")
    kind: str
    status: int
    total: float
    wait: float
    web: float | None
    application: float | None
    database: float | None
    trace: str = Field(description="The whole trace id.")


class Summary(Model):
    """All numbers of one run."""

    schema_version: Literal[1] = 1
    run: Run
    plan: Plan
    config: Config
    versions: dict[str, str]
    verdict: Verdict
    delivery: Delivery
    latency: dict[str, Distribution] = Field(
        description="By part: total = wait + web + application + database; application = code + pool + "
        "database_connect. From when a request was due."
    )
    seen: dict[str, Distribution] = Field(
        description="Whole times as the client, the web tier and the application see them, from when they were sent. "
        "client is what a closed-loop generator would report for the total."
    )
    shares: list[Share]
    p50_sum: float | None = Field(
        description="What the parts add up to in the tenth of the requests around the median, over the median."
    )
    kinds: dict[str, KindSummary]
    invariants: Invariants
    stress: Stress | None
    soak: list[Drift] | None
    slowest: list[SlowRequest]
    storage: Storage | None = Field(default=None, description="None where database.fio.enabled is false.")


def schema() -> str:
    """Return the JSON schema of summary.json."""
    document = {"$schema": "https://json-schema.org/draft/2020-12/schema", **Summary.model_json_schema()}
    return json.dumps(document, indent=2) + "\n"


if __name__ == "__main__":
    sys.stdout.write(schema())
