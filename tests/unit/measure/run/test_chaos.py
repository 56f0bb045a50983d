"""`python -m measure chaos` from the command line to its files, on a fake cluster."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from cloudinit.fault_plan import Fault, FaultPlan, Kind, render_fault_plan
from measure.output import report
from measure.run import chaos
from measure.summary import Summary
from tests.unit.measure.conftest import Program
from tests.unit.measure.fake_cluster import FakeCluster
from tests.unit.measure.synthetic import Response, steady

drawings = report.drawings  # the real ones; the fixture leaves them out
LATENCY = "tier=application,network.latency=50ms,start=3s,duration=4s"


def slow_from_3_to_7(sent: float, number: int) -> Response:
    """Return what the client sees if each query takes 50 ms longer from the 3rd to the 7th second."""
    healthy = steady(sent, number)
    return Response(web=healthy.web, database=(healthy.database or 0.0) + (50.0 if 3000 <= sent < 7000 else 0.0))


def reports(plan: FaultPlan) -> dict[str, str]:
    """Return what two machines report that had each fault, a little late."""
    return {
        f"multi-tier-application-{machine}": json.dumps(
            [
                {
                    "id": f"{plan.run}-{number}-0",
                    "title": one.title,
                    "tier": one.tier,
                    "kind": one.kind.value,
                    "began": plan.started + one.start + 0.1 * machine,
                    "ended": plan.started + one.start + one.duration + 0.1 * machine,
                    "means": "proxy, without netem (Unknown qdisc)",
                    "problem": "",
                }
                for number, one in enumerate(plan.faults)
            ]
        )
        for machine in (0, 1)
    }


def summary_of(results: Path) -> Summary:
    (directory,) = results.iterdir()
    return Summary.model_validate_json((directory / "summary.json").read_text())


def test_the_tier_that_had_the_fault_is_named_and_its_time_is_back_afterwards(
    measure_chaos: Program, cluster: FakeCluster, results: Path
) -> None:
    cluster.agent.service = slow_from_3_to_7
    cluster.reports = reports
    ended = measure_chaos("--fault", LATENCY, "--for", "12s")
    (fault,) = summary_of(results).faults
    parts = {one.part: one for one in fault.parts}

    assert ended.code == 0
    assert fault.finding.startswith("the part that grew most is the database's time: 0.46 -> ")
    assert "application network: latency 50ms" in ended.out
    assert "Injected on application: proxy, without netem (Unknown qdisc)" in ended.out
    assert parts["database"].before == pytest.approx(parts["database"].after, abs=0.01)
    assert parts["database"].during == pytest.approx(50, abs=2)
    assert parts["web"].during == pytest.approx(parts["web"].before, abs=0.1)
    assert parts["database"].share_during == pytest.approx(0.95, abs=0.05)
    assert [(one.machine, one.began, one.ended) for one in fault.spans] == [
        ("multi-tier-application-0", 3.0, 7.0),
        ("multi-tier-application-1", 3.1, 7.1),
    ]


def test_guests_are_asked_once_the_run_has_started_and_no_longer_when_it_has_ended(
    measure_chaos: Program, cluster: FakeCluster
) -> None:
    cluster.reports = reports
    measure_chaos("--fault", LATENCY, "--fault", "tier=web,process=kill,start=2s,repeat=2,interval=3s")
    asked, removed = cluster.fault_plans

    assert removed is None
    assert asked
    assert cluster.changes[0] == f"added {asked.run}"
    assert asked.seconds == 10
    assert asked.started == pytest.approx(cluster.agent.born, abs=3)
    assert [(one.kind.value, one.start, one.end) for one in asked.faults] == [("network", 3, 7), ("kill", 2, 5)]


def test_the_timeline_has_the_number_of_faults_in_force(
    measure_chaos: Program, cluster: FakeCluster, results: Path
) -> None:
    cluster.reports = reports
    measure_chaos("--fault", LATENCY)
    (directory,) = results.iterdir()
    with (directory / "timeline.csv").open() as file:
        counts = [float(row["faults"]) for row in csv.DictReader(file)]
    assert counts == [0, 0, 0, 1, 1, 1, 1, 1, 0, 0]


def test_the_report_shades_the_time_of_a_fault(
    measure_chaos: Program, cluster: FakeCluster, results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report, "drawings", drawings)
    cluster.reports = reports
    measure_chaos("--fault", LATENCY)
    (directory,) = results.iterdir()
    page = (directory / "report.html").read_text()
    assert page.count("application network: latency 50ms</text>") == 3
    assert "<h2>Faults" in page


def test_without_a_fault_option_it_takes_the_stacks_faults(measure_chaos: Program, cluster: FakeCluster) -> None:
    fault = Fault(title="web stress: cpu 80%", tier="web", kind=Kind.CPU, start=1, duration=3, parameters={"load": 0.8})
    cluster.faults["faults.json"] = render_fault_plan(FaultPlan(seconds=60, faults=[fault]))
    cluster.reports = reports
    measure_chaos()
    assert cluster.fault_plans[0]
    assert list(cluster.fault_plans[0].faults) == [fault]


def test_a_fault_that_no_machine_reports_is_shown_as_such(
    measure_chaos: Program, results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chaos, "_REPORT_SECONDS", 0.1)
    measure_chaos("--fault", LATENCY)
    (fault,) = summary_of(results).faults
    assert fault.finding == "it was not in force: no machine reported it"


def test_a_run_without_faults_asks_for_none(measure_run: Program, cluster: FakeCluster, results: Path) -> None:
    measure_run()
    assert cluster.fault_plans == []
    assert summary_of(results).faults == []


@pytest.mark.parametrize(
    ("faults", "problem"),
    [
        ([], "The stack's configuration has no faults"),
        (["tier=web"], "needs a kind (network, process, stress or disk)"),
        (["tier=load,process=kill"], 'faults[0].tier: "load" must be database, application or web'),
        (["tier=web,disk.fill=90,duration=2s"], 'tier: "web" has no data disk: only database has one'),
        (["tier=web,process=freeze"], "duration: is missing: every fault needs an end"),
        (["tier=web,process=freeze,start=9s,duration=2s"], "ends 11 s after the start of the run, which takes 10 s"),
        (["tier=web,process=freeze,start=2s,duration=2s"] * 2, "faults[1]: overlaps with fault 0"),
        (["tier=web,proces=kill"], "proces: is unknown; did you mean process?"),
        (["tier=web,stress.memory=1Gi,duration=2s"], "needs more memory than the machines of its tier have"),
        (["tier:web"], "'tier:web' is not KEY=VALUE"),
        (["tier=web,disk=x,disk.fill=1"], "disk has a value and keys below it"),
    ],
    ids=str,
)
def test_what_is_wrong_is_refused_before_anything_starts(
    measure_chaos: Program, cluster: FakeCluster, faults: list[str], problem: str
) -> None:
    ended = measure_chaos(*(word for one in faults for word in ("--fault", one)))
    assert ended.code == 2
    assert problem in ended.err
    assert cluster.changes == []
    assert cluster.fault_plans == []
