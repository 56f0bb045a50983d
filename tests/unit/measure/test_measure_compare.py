"""`python -m measure compare`: a regression is found, chance is not taken for one."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from measure.analysis.comparison import compare
from measure.analysis.summarize import summarize
from measure.output.results import SamplesFile, write
from measure.run.session import new_progress
from measure.summary import Config
from tests.unit.measure.conftest import Measure
from tests.unit.measure.fake_cluster import TRACE
from tests.unit.measure.synthetic import Answer, Service, plan, requests

CONFIG = Config(namespace="n", name="m", target="http://web", stack_plan={}, gates={}, machines=[])


def noisy(seed: int, factor: float = 1.0, of_run: float = 0.0) -> Service:
    """Return a service with noise of requests, of seconds, and of the run; the database's time has a factor."""
    random = np.random.default_rng(seed)
    run = 1 + of_run * random.standard_normal()
    seconds = 1 + 0.1 * random.standard_normal(100)

    def answer(sent: float, _: int) -> Answer:
        slow = random.lognormal(0, 0.5) * seconds[int(sent / 1000)] * run
        return Answer(web=1.0 * slow, database=2.0 * factor * slow)

    return answer


def record(directory: Path, service: Service, **changes: object) -> Path:
    """Write a run's files."""
    directory.mkdir(parents=True)
    progress = new_progress(plan(**{"seconds": 20, "run": "a-run", **changes}), {})  # type: ignore[arg-type]
    lines = "".join(line for _, line in requests(progress.plan, service)).encode()
    progress.recording.append(lines)
    with SamplesFile(directory) as file:
        file.keep(lines, TRACE)
    write(directory, summarize(progress, {}, CONFIG, {}, None), progress.samples)
    return directory


def test_two_runs_of_the_same_do_not_differ_and_what_can_not_be_told_is_said(call: Measure, tmp_path: Path) -> None:
    before, after = record(tmp_path / "a", noisy(1)), record(tmp_path / "b", noisy(2))
    said = call("compare", before, after)
    assert said.code == 0
    assert "Nothing got worse beyond chance." in said.out
    assert "can't be told: use --repeat 3 on both sides" in said.out
    assert "Too few requests to tell: " in said.out
    assert "database p999" in said.out


def test_a_database_that_is_slower_by_half_is_found_and_named(call: Measure, tmp_path: Path) -> None:
    before, after = record(tmp_path / "a", noisy(1)), record(tmp_path / "b", noisy(2, factor=1.5))
    said = call("compare", before, after)
    assert said.code == 1
    worse = said.out[said.out.index("WORSE") :]
    assert "database p50" in worse
    assert "total p95" in worse
    assert "web" not in worse
    assert call("compare", after, before).code == 0, "what got better is no failure"


def test_repeats_are_judged_by_their_own_spread(tmp_path: Path) -> None:
    for side, factor in (("same", 1.0), ("again", 1.0), ("slower", 1.6)):
        for number in range(3):
            record(tmp_path / side / str(number), noisy(10 * number + len(side), factor, of_run=0.05))
    alike = compare(tmp_path / "same", tmp_path / "again")
    worse = compare(tmp_path / "same", tmp_path / "slower")
    assert alike.runs == (3, 3)
    assert alike.worse == []
    assert {"database p50", "database p95", "total p50"} <= {one.figure for one in worse.worse}
    assert not any(note.startswith("With fewer") for note in worse.notes)


def test_errors_and_undelivered_requests_are_found(tmp_path: Path) -> None:
    well = record(tmp_path / "a", noisy(1))
    ill = record(tmp_path / "b", lambda _, number: Answer(good=number % 20 > 0, status=200 if number % 20 else 503))
    stuck = record(tmp_path / "c", lambda *_: Answer(database=300.0))
    assert "error_rate" in [one.figure for one in compare(well, ill).worse]
    assert "delivered_share" in [one.figure for one in compare(well, stuck).worse]


def test_runs_of_different_load_are_compared_with_a_warning(tmp_path: Path) -> None:
    before, after = record(tmp_path / "a", noisy(1), seconds=3), record(tmp_path / "b", noisy(2), seconds=3, rps=50)
    assert "Not the same load: rps 100 and 50." in compare(before, after).notes
