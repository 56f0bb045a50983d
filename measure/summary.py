"""The schema of summary.json. `python -m measure.summary` prints it as JSON schema for docs/summary.schema.json."""

from __future__ import annotations

import json
import math
import sys
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, JsonValue, WithJsonSchema

from cloudinit.load_plan import LoadPlan, Profile, Segment

# Infinite for a request without an answer, which JSON has no number for.
Latency = Annotated[
    float,
    BeforeValidator(lambda value: math.inf if value is None else value),
    WithJsonSchema({"anyOf": [{"type": "number"}, {"type": "null"}]}),
]


class SummaryModel(BaseModel):
    """Part of the summary. Times are in milliseconds and shares from 0 to 1, unless a field says otherwise."""

    model_config = ConfigDict(extra="forbid")


class Distribution(SummaryModel):
    """Distribution of one time over many requests, in milliseconds.

    Percentiles are by nearest rank. A request without an answer counts as slower than any other; null is its time.
    """

    count: int = Field(description="Requests counted.")
    unanswered: int = Field(description="Those of them that failed in or before the part, or were never sent.")
    mean: float | None = Field(
        description="Mean of the times that they took, with an answer or without; null if none was sent."
    )
    p50: Latency
    p90: Latency
    p95: Latency
    p99: Latency
    p999: Latency = Field(description="99.9th percentile.")
    max: Latency


class Share(SummaryModel):
    """Share of one part in the total time. The means of all parts add up to the total's mean exactly."""

    part: str
    mean: float = Field(description="Mean over all requests, ms.")
    share: float = Field(description="Share of the total time of all requests.")
    p50: float = Field(description="Median over all requests, ms.")
    tail_mean: float = Field(description="Mean over the slowest 1 % of requests, ms.")
    tail_share: float = Field(description="Share of the total time of the slowest 1 % of requests.")


class KindSummary(SummaryModel):
    """Results for one kind of request."""

    requests: int
    errors: int
    latency: dict[str, Distribution]


class GateResult(SummaryModel):
    """A gate and the measured value."""

    gate: str = Field(description="Name, such as total.p99, error_rate or delivered_share.")
    limit: float = Field(description="Upper limit (ms or a share); for delivered_share the lower limit.")
    measured: float | None = Field(
        description="Null if it is the time of a request without an answer, or if no request has the value; "
        "the gate then fails."
    )
    requests: int = Field(description="Requests that the value is about.")
    needed: int = Field(description="Requests without which a percentile is unknown, and its gate fails.")
    unanswered: int = Field(description="Requests that failed in or before the part, or were never sent.")
    passed: bool


class Verdict(SummaryModel):
    """Verdict on a run."""

    outcome: Literal["passed", "failed", "not serving", "timed out", "interrupted"]
    exit_code: int
    reason: str
    gates: list[GateResult] = Field(description="Gate results; for a stress run those of the last judged step.")


class RunInfo(SummaryModel):
    """Identity and time of a run."""

    id: str
    started: str | None = Field(description="Scheduled time of the first request: ISO 8601, UTC, generator's clock.")
    seconds: float = Field(description="Time from the start until the last response.")
    trace: str = Field(description="First half of the trace ids of all requests, 16 hexadecimal digits.")


class MachineSummary(SummaryModel):
    """A virtual machine of the stack. Null where the cluster doesn't say."""

    name: str
    tier: str
    vcpus: int | None
    memory: str | None
    image: str | None


class StorageJob(SummaryModel):
    """Result of one fio job."""

    operations_per_second: float
    bytes_per_second: int
    p50_ms: float
    p99_ms: float = Field(description="For log writes: until the write is on disk.")


class Storage(SummaryModel):
    """Performance of the database's data disk as measured by fio before it first started, not during the run."""

    measured: str
    seconds: int = Field(description="Duration of each job.")
    jobs: dict[str, StorageJob]


class Config(SummaryModel):
    """What was measured, and against which gates."""

    namespace: str
    name: str
    target: str = Field(description="URL that the generator sends requests to.")
    stack_plan: dict[str, JsonValue] = Field(description="The stack's own load plan.")
    gates: dict[str, float] = Field(description="Gates in force: the stack's, overridden by the command line's.")
    machines: list[MachineSummary]


class Delivery(SummaryModel):
    """How much of the scheduled load was sent, and how it was answered."""

    scheduled: int = Field(description="Scheduled requests; for a run that ended early, until then.")
    sent: int
    delivered_share: float = Field(description="Delivery ratio: sent over scheduled requests.")
    succeeded: int = Field(description="Requests with the expected response.")
    errors: int
    error_rate: float = Field(description="Share of errors in the requests sent.")
    errors_by: dict[str, int] = Field(description="Errors by HTTP status or k6 error code.")
    waited: int = Field(description="Requests that waited for a free connection at their scheduled time.")
    waited_share: float
    busy_mean: float = Field(description="Connections with a request in flight, on average.")
    busy_max: int
    burstiness: float | None = Field(
        description="Variance-to-mean ratio of requests sent per 10 ms: 0 is evenly spaced, 1 Poisson, more bursts."
    )
    shortfall: str | None = Field(description="Why some scheduled requests were not sent; null if all were.")


class Consistency(SummaryModel):
    """Check of each request's times: client >= application >= database."""

    checked: int = Field(description="Requests for which all three times are known.")
    consistent: int


class StressStep(SummaryModel):
    """One step of a stress run."""

    rate: float = Field(description="Requests per second.")
    start: float = Field(description="Seconds since the start of the run.")
    end: float
    scheduled: int
    sent: int
    errors: int
    p50: Latency
    p99: Latency
    gates: list[GateResult]
    passed: bool


class Stress(SummaryModel):
    """The steps of a stress run, and the limit that it found."""

    steps: list[StressStep]
    limit: str | None = Field(
        description="The rate of the step that failed, the gates it failed and the likely cause; null if all passed."
    )


class Drift(SummaryModel):
    """Change of one part over a soak run: the last fifth against the first."""

    part: str
    first_p50: Latency
    last_p50: Latency
    first_p99: Latency
    last_p99: Latency
    change: float | None = Field(
        description="Relative change of the median: 0.1 is 10 % slower. Null without two medians above 0."
    )


class SlowRequest(SummaryModel):
    """One of the slowest requests, to be looked up in logs and traces."""

    number: int
    due: float = Field(description="Scheduled time, milliseconds since the start of the run.")
    kind: str
    status: int
    total: float
    generator: float
    wait: float
    web: float | None
    application: float | None
    database: float | None
    trace: str = Field(description="The full trace id.")


class FaultSpan(SummaryModel):
    """A fault on one machine, as its guest reported it. Times are in seconds since the start of the run."""

    machine: str
    began: float | None = Field(description="When it was in force; null if it never was.")
    ended: float | None = Field(description="When it no longer was; null if the guest did not report it in time.")
    means: str = Field(description="How it was put in force, where there are several ways.")
    problem: str = Field(description="Why it was not in force, or not until its end; empty if nothing went wrong.")


class PartChange(SummaryModel):
    """The mean time of one part of the requests before, during and after a fault, in ms; null without requests."""

    part: str
    before: float | None
    during: float | None
    after: float | None
    share_before: float | None = Field(description="Share of the total time.")
    share_during: float | None


class FaultSummary(SummaryModel):
    """A fault, and what became of the requests."""

    title: str
    tier: str = Field(description="The tier that had it.")
    kind: str
    spans: list[FaultSpan]
    parts: list[PartChange]
    error_rate_before: float | None
    error_rate_during: float | None
    error_rate_after: float | None
    finding: str = Field(description="Which tier's time or which errors show it, in words.")


class Summary(SummaryModel):
    """All results of one run."""

    schema_version: Literal[3] = 3
    run: RunInfo
    plan: LoadPlan = Field(description="The load that was scheduled.")
    segments: tuple[Segment, ...] = Field(description="The scheduled rate over time, in stretches of linear change.")
    config: Config
    versions: dict[str, str]
    verdict: Verdict
    delivery: Delivery
    latency: dict[str, Distribution] = Field(
        description="By part, from the scheduled time: total = generator + wait + web + application + database; "
        "application = code + pool + database_connect."
    )
    latency_from_send: dict[str, Distribution] = Field(
        description="Response times from the send time: client (what a closed-loop "
        "generator reports as the total), application and database, tiers behind included."
    )
    shares: list[Share]
    parts_over_p50: float | None = Field(
        description="Sum of the parts' means in the 10 % of requests around the median, over the median."
    )
    kinds: dict[str, KindSummary]
    consistency: Consistency
    stress: Stress | None
    soak: list[Drift] | None
    slowest: list[SlowRequest]
    faults: list[FaultSummary] = Field(default=[], description="The faults that guests reported during the run.")
    storage: Storage | None = Field(default=None, description="Null unless database.fio.enabled is true.")


def schema() -> str:
    """Return the JSON schema of summary.json."""
    document = {"$schema": "https://json-schema.org/draft/2020-12/schema", **Summary.model_json_schema()}
    for model in (LoadPlan, Segment, Profile):
        del document["$defs"][model.__name__]["description"]  # their docstrings address callers in Python
    return json.dumps(document, indent=2) + "\n"


if __name__ == "__main__":
    sys.stdout.write(schema())
