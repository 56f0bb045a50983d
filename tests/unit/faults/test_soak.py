"""A soak fails when a figure grows, when something is lost, and when nothing was measured."""

from __future__ import annotations

from pathlib import Path

import pytest

from faults import soak_plot
from faults.experiment import RECOVERY_BOUND
from faults.soak import FAULTS, LEAST_SECONDS, Soak, judge, schedule

INTERVAL = 10


def measured(seconds: int = 600, leak: float = 0.0) -> Soak:
    """Return a good soak, in which a guest's memory grows by `leak` MiB a second."""
    found = Soak(seconds, rate=60, requests=1000, acknowledged_writes=200)
    for second in range(0, seconds, INTERVAL):
        found.add(float(second), {"web-0": {"memory": 50 + leak * second, "files": 40.0, "disk": 10.0}})
        for values in found.latency.values():
            values.append(2.0)
    return found


def problems(found: Soak) -> list[str]:
    judge(found)
    return found.problems


def test_a_soak_without_growth_has_no_problem() -> None:
    assert problems(measured()) == []


def test_a_leak_is_a_problem_and_names_the_guest() -> None:
    (problem,) = problems(measured(leak=0.1))
    assert problem == "web-0 memory grew by 29.0 in the second half; allowed: 16.0"


def test_a_latency_that_grows_outside_faults_is_a_problem() -> None:
    found = measured()
    found.latency["p50"] = [2 + time / 20 for time in found.times]
    (problem,) = problems(found)
    assert problem.startswith("client latency grew")


def test_latency_during_faults_and_their_recovery_is_not_judged() -> None:
    found = measured()
    found.faults = [("web-killed", 300.0, 585.0)]
    found.latency["p50"] = [2.0 if time < 300 else time for time in found.times]
    assert problems(found) == ["client latency: too few points for a trend"]
    assert found.disturbed(585.0 + RECOVERY_BOUND)
    assert not found.disturbed(586.0 + RECOVERY_BOUND)


def test_an_empty_measurement_is_a_problem() -> None:
    assert "no guest and no component was measured" in problems(Soak(600, rate=60))
    assert "no write was acknowledged" in problems(Soak(600, rate=60))


def test_a_guest_that_was_not_there_all_the_time_is_a_problem() -> None:
    found = measured()
    found.add(600.0, {"web-1": {"memory": 1.0, "files": 1.0, "disk": 1.0}})
    found.latency["p50"].append(2.0)
    assert "web-0 was missing part of the time" in problems(found)


@pytest.mark.parametrize(
    ("field", "words"),
    [("errors_outside_faults", "3 requests failed outside faults"), ("lost_writes", "3 acknowledged writes are lost")],
)
def test_errors_outside_faults_and_lost_writes_are_problems(field: str, words: str) -> None:
    found = measured()
    setattr(found, field, 3)
    assert problems(found) == [words]


@pytest.mark.parametrize("seconds", [LEAST_SECONDS, 1800])
def test_every_fault_has_time_to_recover_before_the_next_one_and_before_the_end(seconds: int) -> None:
    due = [time for time, _ in schedule(seconds)]
    assert min(later - earlier for earlier, later in zip(due, [*due[1:], seconds], strict=True)) >= 2.5 * RECOVERY_BOUND
    assert seconds < 1000 or {fault.name for _, fault in schedule(seconds)} == {fault.name for fault in FAULTS}


def test_the_plot_has_the_guests_and_the_faults(tmp_path: Path) -> None:
    found = measured()
    found.faults = [("web-killed", 300.0, 310.0)]
    soak_plot.save(found.times, found.usage, found.latency, found.faults, tmp_path / "soak.svg")
    assert "web-killed" in (tmp_path / "soak.svg").read_text()
