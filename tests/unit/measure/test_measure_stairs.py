"""When a stair of a stress run is judged."""

from __future__ import annotations

from cloudinit.load_plan import Profile
from measure.analysis.steps import Stairs
from tests.unit.measure.synthetic import plan, samples

COURSE = plan(Profile.STRESS, rps=20, peak=200)


def test_a_run_that_ends_with_its_last_answer_is_judged_to_its_last_stair() -> None:
    stairs = Stairs(COURSE, {})
    stairs.judge(samples(COURSE), COURSE.seconds - 0.001, ended=True)
    assert len(stairs.judged) == len(COURSE.segments)
    assert stairs.broken is None


def test_a_run_that_was_stopped_is_judged_by_the_stairs_that_it_climbed() -> None:
    everything = samples(COURSE)
    stairs = Stairs(COURSE, {})
    stairs.judge(everything[everything["due"] < 4500], 4.5, ended=True)
    assert [stair.end for stair in stairs.judged] == [1.0, 2.0, 3.0, 4.0]
