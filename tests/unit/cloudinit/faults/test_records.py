"""The records of a machine's faults."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from cloudinit.files.faults.fault_plan import Fault, Kind, Occurrence
from cloudinit.files.faults.records import KEPT, METRICS, Records

FAULT = Fault(title='web "x"', tier="web", kind=Kind.CPU, start=0, duration=5, parameters={"load": 0.5})


def occurrence(number: int = 0) -> Occurrence:
    return Occurrence(f"run-{number}", FAULT, 100.0 + number, 105.0 + number)


def test_an_occurrence_is_recorded_once(tmp_path: Path) -> None:
    records = Records(tmp_path)
    assert records.create(occurrence())
    assert Records(tmp_path).create(occurrence()) is None


def test_a_record_tells_what_became_of_the_fault(tmp_path: Path) -> None:
    records = Records(tmp_path)
    records.create(occurrence())
    records.began("run-0", "proxy")
    (begun,) = records.all()
    assert begun.active
    assert begun.fault == FAULT
    records.ended("run-0")
    records.ended("run-0", "the second note doesn't count")
    (report,) = (one.report for one in records.all())
    assert report["began"] <= report["ended"]
    assert {key: report[key] for key in ("id", "title", "tier", "kind", "means", "problem")} == {
        "id": "run-0",
        "title": 'web "x"',
        "tier": "web",
        "kind": "cpu",
        "means": "proxy",
        "problem": "",
    }


def test_the_metric_is_1_while_the_fault_is_in_force(tmp_path: Path) -> None:
    records = Records(tmp_path)
    name = 'multi_tier_fault_active{fault="web \\"x\\"",kind="cpu"}'
    seen = []
    changes: list[Callable[[], object]] = [
        lambda: records.create(occurrence()),
        lambda: records.began("run-0", ""),
        lambda: records.ended("run-0"),
    ]
    for change in changes:
        change()
        lines = (tmp_path / METRICS).read_text().splitlines()
        seen += [line.removeprefix(name).strip() for line in lines if line.startswith(name)]
    assert seen == ["0", "1", "0"]
    assert (tmp_path / METRICS).stat().st_mode & 0o777 == 0o644


def test_old_records_of_ended_faults_are_forgotten(tmp_path: Path) -> None:
    records = Records(tmp_path)
    for number in range(KEPT + 10):
        records.create(occurrence(number))
        if number != 3:
            records.ended(f"run-{number}")
    kept = [one.id for one in records.all()]
    assert kept[0] == "run-3"
    assert kept[1] == f"run-{10}"
