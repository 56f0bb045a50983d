"""The schema of startup.json. `python -m measure.startup_summary` prints docs/startup.schema.json."""

from __future__ import annotations

import json
import sys
from enum import StrEnum
from typing import Literal

from pydantic import Field, JsonValue

from measure.summary import Latency, SummaryModel


class Phase(StrEnum):
    """How far a machine has come, in this order; only a good answer can come before the readiness probe's next one."""

    CREATED = "created"
    SCHEDULED = "scheduled"
    RUNNING = "running"
    READY = "ready"
    SERVING = "serving"


class MachineStart(SummaryModel):
    """When a machine reached each phase, in seconds since the start; null: not reached."""

    name: str
    tier: str = Field(description="Its component label; empty if it has none.")
    created: float = Field(description="Its VirtualMachine was seen.")
    scheduled: float | None = Field(description="Its launcher Pod has a node.")
    running: float | None = Field(description="Its VirtualMachineInstance is in phase Running.")
    ready: float | None = Field(description="Its VirtualMachine is Ready: the readiness probe succeeds.")
    serving: float | None = Field(description="The first good response to a request sent to it.")
    asked: bool = Field(description="Whether requests are sent to it. Otherwise it has no phase serving.")
    simulated: bool = Field(description="Whether nothing booted: it is a machine of a lab with simulated guests.")
    deleted: bool = Field(description="Whether it was deleted before it had reached its last phase.")
    problem: str = Field(description="Why its last request had no good response; empty if it serves.")


class StartDistribution(SummaryModel):
    """Distribution of one time over all machines, in seconds; percentiles are by nearest rank.

    A machine that never reached the phase counts as slower than any other; null is its time.
    """

    count: int = Field(description="Machines counted.")
    unreached: int = Field(description="Those of them that did not reach the phase.")
    p50: Latency
    p95: Latency
    p99: Latency
    max: Latency


Phases = dict[Phase, StartDistribution]


class StartGate(SummaryModel):
    """A gate and the measured value, in seconds."""

    gate: str = Field(description="Name, such as ready.p95, web.serving.max or first_answer.")
    limit: float = Field(description="Upper limit.")
    measured: float | None = Field(description="Null if it was not reached, or if no machine has it: the gate fails.")
    passed: bool


class StartVerdict(SummaryModel):
    """Verdict on a start."""

    outcome: Literal["passed", "failed", "not serving", "timed out", "interrupted"]
    exit_code: int
    reason: str
    gates: list[StartGate]


class QueryResult(SummaryModel):
    """A PromQL query, and what Prometheus answered for the time of the start."""

    query: str
    series: list[JsonValue] = Field(description="The result of /api/v1/query_range: metric and values of each series.")
    problem: str = Field(description="Why there is no result; empty if there is one.")


class StartupSummary(SummaryModel):
    """All results of one start. Times are in seconds, by one monotonic clock."""

    schema_version: Literal[1] = 1
    id: str
    started: str = Field(
        description="When time 0 was, ISO 8601, UTC: the command's start; without a command, the first machine's."
    )
    seconds: float = Field(description="Time from then until the end of the measurement.")
    namespace: str
    selector: str = Field(description="Label selector of the machines.")
    command: list[str] = Field(description="The command that was run; empty if none was.")
    until: Phase = Field(description="The phase that every machine had to reach.")
    expected: int | None = Field(description="Number of machines that had to; null if it never became known.")
    verdict: StartVerdict
    first_answer: float | None = Field(
        description="The first good response of a web machine, which all tiers have a part in, since the start."
    )
    phases: Phases = Field(description="Over all machines: created since the start, the others since created.")
    tiers: dict[str, Phases] = Field(description="The same by tier.")
    machines: list[MachineStart]
    resolution: float | None = Field(
        description="By how much a machine's first good response may be late, at most: the longest time between such a "
        "response and the sending of the request before it."
    )
    versions: dict[str, str]
    prometheus: dict[str, QueryResult] = Field(description="The queries of --queries, by name.")


def schema() -> str:
    """Return the JSON schema of startup.json."""
    document = {"$schema": "https://json-schema.org/draft/2020-12/schema", **StartupSummary.model_json_schema()}
    return json.dumps(document, indent=2) + "\n"


if __name__ == "__main__":
    sys.stdout.write(schema())
