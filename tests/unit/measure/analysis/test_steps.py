"""When a step of a stress run is judged."""

from __future__ import annotations

from cloudinit.load_plan import Profile
from measure.analysis.steps import Steps
from tests.unit.measure.synthetic import plan, samples

COURSE = plan(Profile.STRESS, rps=20, peak=200)


def test_a_run_that_ends_with_its_last_response_is_judged_up_to_its_last_step() -> None:
    steps = Steps(COURSE, {})
    steps.judge(samples(COURSE), COURSE.seconds - 0.001, ended=True)
    assert len(steps.judged) == len(COURSE.segments)
    assert steps.failed is None


def test_a_run_that_was_stopped_is_judged_by_the_steps_that_it_completed() -> None:
    everything = samples(COURSE)
    steps = Steps(COURSE, {})
    steps.judge(everything[everything["due"] < 4500], 4.5, ended=True)
    assert [step.end for step in steps.judged] == [1.0, 2.0, 3.0, 4.0]
