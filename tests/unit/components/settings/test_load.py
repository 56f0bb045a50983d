"""Settings of the load and the gates."""

from __future__ import annotations

from typing import Any

import pytest

from cloudinit import parse_load_plan
from measure.run.plan import Overrides, run_plan
from tests.unit.components.mocks import deploy
from tests.unit.components.settings.refused import accepted, named, refusals

RPS = "must be a whole number from 1 to 100,000"

LOADS: list[tuple[dict[str, Any], str]] = [
    ({"enabled": "on"}, 'enabled: "on" must be true or false'),
    ({"enabled": 1}, "enabled: 1 must be true or false"),
    ({"rps": -5}, f"rps: -5 {RPS}"),
    ({"peak": "high"}, f'peak: "high" {RPS}'),
    ({"mix": {"hot": -1}}, "mix.hot: -1 must be a whole number from 0 to 1,000,000"),
    ({"profile": "burst"}, 'profile: "burst" must be constant, ramp, stress, spike or soak'),
    ({"duration": "1s"}, 'duration: "1s" must be a duration from 10 seconds to a day, such as "90s", "10m" or "1h"'),
    ({"mix": {"random": 0, "hot": 0, "missing": 0}}, "mix: needs a weight above 0: no request could be sent"),
    ({"peak": 10}, "peak: 10 is below rps 50: the rate rises from rps to peak"),
    (
        {"rps": 5000, "concurrency": 4},
        "concurrency: 4 can't sustain rps 5000: a request takes 1 ms or more, so it needs at least 5",
    ),
    (
        {"profile": "spike", "rps": 300, "concurrency": 1},
        "concurrency: 1 can't sustain peak 1200: a request takes 1 ms or more, so it needs at least 2",
    ),
    ({"vcpus": 2}, "vcpus: 2 only applies to a dedicated machine: set dedicated to true, or remove it"),
    (
        {"dedicated": True, "memory": "64Mi"},
        'memory: "64Mi" is less than the 256Mi that a debian guest needs to boot',
    ),
]

GATES: list[tuple[dict[str, Any], str]] = [
    ({"web": {"p95": 0}}, "web.p95: 0 must be a number from 0.001 to 600,000"),
    ({"total": {"p99": True}}, "total.p99: true must be a number from 0.001 to 600,000"),
    ({"errorRate": 1.5}, "errorRate: 1.5 must be a number from 0 to 1"),
    ({"deliveredShare": "99%"}, 'deliveredShare: "99%" must be a number from 0 to 1'),
]


@pytest.mark.parametrize(("load", "line"), named(LOADS))
def test_a_mistake_about_the_load_is_reported_in_one_line(load: dict[str, Any], line: str) -> None:
    assert refusals({"load": load}) == [f"load.{line}"]


@pytest.mark.parametrize(("gates", "line"), named(GATES))
def test_a_mistake_about_the_gates_is_reported_in_one_line(gates: dict[str, Any], line: str) -> None:
    assert refusals({"gates": gates}) == [f"gates.{line}"]


@pytest.mark.parametrize(("rps", "peak"), [(50, 200), (30_000, 100_000), (100_000, 100_000)])
def test_the_peak_defaults_to_four_times_the_rate_in_a_stack_and_in_a_measured_run(rps: int, peak: int) -> None:
    settings = accepted({"load": {"rps": rps, "concurrency": 100}})
    stack = parse_load_plan(deploy().object("ConfigMap", "multi-tier-load").inputs["data"]["plan.json"])

    assert settings.load.peak_rps == peak
    assert run_plan(stack, Overrides(rps=rps)).peak == peak
    assert accepted({"load": {"peak": 60}}).load.peak_rps == 60
