"""`python -m measure compare` finds regressions, and does not mistake chance for one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from measure.analysis.comparison import RunComparison, compare
from measure.output.files import measured_runs
from tests.unit.measure.conftest import Program
from tests.unit.measure.synthetic import Response, Service, config, plan, write_run

COURSE = plan(seconds=10, run="a-run")


def noisy(seed: int, database: float = 1.0, between_runs: float = 0.0) -> Service:
    """Return a service with noise per request, per second and per run; `database` multiplies the database's time."""
    random = np.random.default_rng(seed)
    of_run = 1 + between_runs * random.standard_normal()
    of_second = 1 + 0.1 * random.standard_normal(100)

    def respond(sent: float, _: int) -> Response:
        noise = random.lognormal(0, 0.5) * of_second[int(sent / 1000)] * of_run
        return Response(web=1.0 * noise, database=2.0 * database * noise)

    return respond


def compared(before: Path, after: Path) -> RunComparison:
    return compare(measured_runs(before), measured_runs(after))


@pytest.fixture(scope="module")
def baseline(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_run(tmp_path_factory.mktemp("runs") / "baseline", COURSE, noisy(1))


def test_two_runs_of_the_same_stack_do_not_differ_and_caveats_are_printed(
    measure: Program, baseline: Path, tmp_path: Path
) -> None:
    ended = measure("compare", baseline, write_run(tmp_path / "again", COURSE, noisy(2)))
    assert ended.code == 0
    assert "Nothing got worse beyond chance." in ended.out
    assert "stay invisible: use --repeat 3 on both sides" in ended.out
    assert "p999" not in ended.out, "a thousand requests have no p99.9"


def test_a_database_that_is_50_percent_slower_is_found_and_named(
    measure: Program, baseline: Path, tmp_path: Path
) -> None:
    slower = write_run(tmp_path / "slower", COURSE, noisy(2, database=1.5))
    ended = measure("compare", baseline, slower)
    assert ended.code == 1
    worse = ended.out[ended.out.index("WORSE") :]
    assert "database p50" in worse
    assert "total p95" in worse
    assert "web" not in worse
    assert measure("compare", slower, baseline).code == 0, "an improvement is not a failure"


def test_repeats_are_judged_by_their_own_spread(tmp_path: Path) -> None:
    for side, factor in (("same", 1.0), ("again", 1.0), ("slower", 1.6)):
        for number in range(3):
            service = noisy(10 * number + len(side), factor, between_runs=0.05)
            write_run(tmp_path / side / str(number), COURSE, service)
    alike = compared(tmp_path / "same", tmp_path / "again")
    worse = compared(tmp_path / "same", tmp_path / "slower")
    assert alike.runs == (3, 3)
    assert alike.worse == []
    assert {"database p50", "database p95", "total p50"} <= {one.figure for one in worse.worse}
    assert not any(note.startswith("With fewer") for note in worse.notes)


def test_errors_and_undelivered_requests_are_found(baseline: Path, tmp_path: Path) -> None:
    def failing(_: float, number: int) -> Response:
        return Response(good=number % 20 > 0, status=200 if number % 20 else 503)

    errors = write_run(tmp_path / "errors", COURSE, failing)
    saturated = write_run(tmp_path / "saturated", COURSE, lambda *_: Response(database=300.0))
    assert "error_rate" in [one.figure for one in compared(baseline, errors).worse]
    assert "delivered_share" in [one.figure for one in compared(baseline, saturated).worse]


def test_runs_with_different_load_are_not_compared(measure: Program, baseline: Path, tmp_path: Path) -> None:
    ended = measure("compare", baseline, write_run(tmp_path / "b", plan(seconds=10, rps=50), noisy(2)))
    assert ended.code == 3
    assert "CAN'T COMPARE: different load: rps 100 and 50." in ended.out


def test_runs_with_too_few_requests_are_not_compared(measure: Program, tmp_path: Path) -> None:
    course = plan(rps=2, seconds=9)
    before = write_run(tmp_path / "a", course, lambda *_: Response(database=0.4))
    ended = measure("compare", before, write_run(tmp_path / "b", course, lambda *_: Response(database=300.0)))
    assert ended.code == 3
    assert "CAN'T COMPARE: too few requests or answers to tell: total p50, total p95, total p99" in ended.out


def test_runs_that_failed_by_their_errors_are_not_compared(measure: Program, tmp_path: Path) -> None:
    broken = config({"error_rate": 0.01})
    before, after = (
        write_run(tmp_path / name, COURSE, lambda *_: Response(database=None, status=503, good=False), broken)
        for name in ("a", "b")
    )
    ended = measure("compare", before, after)
    assert ended.code == 3
    assert "CAN'T COMPARE: failed: a-run (error_rate is 100.00% (limit 1.00%))" in ended.out


def test_interrupted_runs_are_not_compared(measure: Program, baseline: Path, tmp_path: Path) -> None:
    stopped = write_run(tmp_path / "stopped", COURSE, noisy(2))
    summary = stopped / "summary.json"
    summary.write_text(summary.read_text().replace('"outcome": "passed"', '"outcome": "interrupted"'))
    ended = measure("compare", baseline, stopped)
    assert ended.code == 3
    assert "CAN'T COMPARE: ended early: a-run (interrupted)." in ended.out


def test_a_tail_that_is_no_longer_answered_is_worse(measure: Program, baseline: Path, tmp_path: Path) -> None:
    def refused(sent: float, number: int) -> Response:
        return Response(status=0, web=0.1, good=False) if number % 20 == 0 else noisy(2)(sent, number)

    ended = measure("compare", baseline, write_run(tmp_path / "refused", COURSE, refused))
    assert ended.code == 1
    assert "total p99" in ended.out[ended.out.index("WORSE") :]
