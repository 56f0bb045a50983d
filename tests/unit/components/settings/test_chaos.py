"""Settings of chaos: what guests are asked for, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from cloudinit.fault_plan import Fault, Kind
from tests.unit.components.settings.refused import accepted, refusals

FREEZE = {"tier": "database", "process": "freeze", "start": "10s", "duration": "5s"}


def faults(*given: dict[str, Any]) -> dict[str, Any]:
    return {"chaos": {"faults": list(given)}}


def only(given: dict[str, Any]) -> Fault:
    (found,) = accepted(faults(given)).chaos.faults
    return found.fault


def test_there_is_no_chaos_by_default() -> None:
    assert accepted({}).chaos.faults == []


@pytest.mark.parametrize(
    ("given", "kind", "parameters", "title"),
    [
        (
            {"tier": "application", "network": {"latency": "50ms", "jitter": "5ms", "loss": 0.5, "bandwidth": "1Mi"}},
            Kind.NETWORK,
            {"latency": 0.05, "jitter": 0.005, "loss": 0.005, "bandwidth": 1048576},
            "application network: latency 50ms, jitter 5ms, loss 0.5%, bandwidth 1Mi/s",
        ),
        ({"tier": "web", "process": "freeze"}, Kind.FREEZE, {}, "web process: freeze"),
        ({"tier": "web", "stress": {"cpu": 80}}, Kind.CPU, {"load": 0.8}, "web stress: cpu 80%"),
        ({"tier": "web", "stress": {"memory": "64Mi"}}, Kind.MEMORY, {"size": 2**26}, "web stress: memory 64Mi"),
        ({"tier": "database", "disk": {"fill": 95}}, Kind.DISK_FILL, {"fill": 0.95}, "database disk: fill 95%"),
        (
            {"tier": "database", "disk": {"latency": "2s"}},
            Kind.DISK_LATENCY,
            {"latency": 2.0},
            "database disk: latency 2s",
        ),
    ],
    ids=str,
)
def test_a_fault_is_what_its_guests_read(
    given: dict[str, Any], kind: Kind, parameters: dict[str, float], title: str
) -> None:
    found = only({**given, "start": "1m", "duration": "10s", "mode": "one"} | {"start": "40s"})
    assert (found.kind, found.title) == (kind, f"{title} on one machine")
    assert found.parameters == pytest.approx(parameters)
    assert (found.start, found.duration, found.repeat, found.one) == (40, 10, 1, True)


def test_a_repeated_kill_needs_no_duration() -> None:
    found = only({"tier": "application", "process": "kill", "repeat": 6, "interval": "5s"})
    assert [begin for begin, _ in found.spans] == [0, 5, 10, 15, 20, 25]
    assert found.end == 25


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ([{"tier": "cache", "process": "kill"}], 'chaos.faults[0].tier: "cache" must be database, application or web'),
        ([{"tier": "load", "process": "kill"}], 'chaos.faults[0].tier: "load" must be database, application or web'),
        (
            [{"tier": "web", "disk": {"fill": 90}, "duration": "5s"}],
            'chaos.faults[0].tier: "web" has no data disk: only database has one',
        ),
        (
            [{"tier": "database", "network": {"loss": 1}, "duration": "5s"}],
            'chaos.faults[0].tier: "database" has no network fault, because no tier is behind it: use application for '
            "the network between both",
        ),
        (
            [FREEZE | {"start": "58s"}],
            "chaos.faults[0]: ends 63 s after the start, but load.duration is 60s: a fault may not outlive the load",
        ),
        (
            [FREEZE, {"tier": "database", "process": "kill", "start": "12s"}],
            "chaos.faults[1]: overlaps with fault 0 (database process: freeze), which excludes it: give them different "
            "times",
        ),
        ([{**FREEZE, "duration": None}], "chaos.faults[0].duration: is missing: every fault needs an end"),
        (
            [{"tier": "web", "process": "kill", "duration": "5s"}],
            'chaos.faults[0].duration: "5s" has no effect: a kill takes no time; use repeat to kill again',
        ),
        ([{**FREEZE, "repeat": 2}], "chaos.faults[0].interval: is missing: the fault begins 2 times"),
        ([{**FREEZE, "interval": "9s"}], 'chaos.faults[0].interval: "9s" needs repeat above 1'),
        (
            [{**FREEZE, "repeat": 2, "interval": "5s"}],
            'chaos.faults[0].interval: "5s" is not longer than duration 5s, so it would not end in between',
        ),
        ([{"tier": "web", "duration": "5s"}], "chaos.faults[0]: needs a kind (network, process, stress or disk)"),
        (
            [{**FREEZE, "disk": {"fill": 90}}],
            "chaos.faults[0]: has process and disk: use a fault for each (network, process, stress or disk)",
        ),
        (
            [{"tier": "web", "network": {}, "duration": "5s"}],
            "chaos.faults[0].network: needs latency, loss or bandwidth: it would have no effect",
        ),
        (
            [{"tier": "web", "network": {"latency": "5ms", "jitter": "9ms"}, "duration": "5s"}],
            'chaos.faults[0].network.jitter: "9ms" is more than latency: data can\'t arrive before it was sent',
        ),
        (
            [{"tier": "web", "stress": {"cpu": 50, "memory": "1Mi"}, "duration": "5s"}],
            "chaos.faults[0].stress: needs either cpu or memory: use two faults for both",
        ),
        (
            [{"tier": "web", "stress": {"memory": "1Gi"}, "duration": "5s"}],
            'chaos.faults[0].stress.memory: "1Gi" is not below the machine\'s memory, 1Gi',
        ),
        (
            [{"tier": "database", "disk": {}, "duration": "5s"}],
            "chaos.faults[0].disk: needs either fill or latency: use two faults for both",
        ),
        (
            [{"tier": "web", "stress": {"cpu": 0}, "duration": "5s"}],
            "chaos.faults[0].stress.cpu: 0 must be a number from 0.01 to 100",
        ),
        ([{"tier": "web", "proces": "kill"}], "chaos.faults[0].proces: is unknown; did you mean process?"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_cant_be_injected_is_refused_in_one_line(given: list[dict[str, Any]], problem: str) -> None:
    assert refusals(faults(*given)) == [problem]


def test_faults_at_different_times_or_of_different_kinds_go_together() -> None:
    assert len(accepted(faults(FREEZE, {**FREEZE, "start": "20s"})).chaos.faults) == 2
    other = {"tier": "database", "stress": {"cpu": 50}, "start": "10s", "duration": "5s"}
    assert len(accepted(faults(FREEZE, other)).chaos.faults) == 2
