"""What the measurements of fleets say, and that what can't be measured has a reason."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from rich.console import Console

from bench import creating, kube_burner
from bench.creating import figures, slope, table
from bench.fleets import Kind
from bench.kube_burner import KubeBurner
from lab.config import DEFAULT_SUBNET, Lab
from lab.errors import LabError


def run(kind: Kind, size: int, seconds: float, command: str = "up") -> dict[str, Any]:
    costs = {"seconds": seconds, "memory_mib": size / 2, "provider_mib": 1.0}
    return {"kind": str(kind), "size": size, "command": command, **costs}


def test_the_exponent_is_that_of_a_power_of_the_size() -> None:
    assert slope({size: 0.01 * size**1.6 for size in (30, 300, 1000)}) == pytest.approx(1.6)


def test_each_round_of_machines_is_compared_with_the_same_round_of_config_maps() -> None:
    runs = [run(Kind.CREATED, 300, 12), run(Kind.CONFIGMAPS, 300, 10)]
    runs += [run(Kind.CREATED, 300, 30), run(Kind.CONFIGMAPS, 300, 20)]
    found = figures(runs)["ratio_to_floor_300"]
    assert (found["value"], found["spread"], found["repeats"]) == (pytest.approx(1.35), [1.2, 1.5], 2)


def test_the_start_of_the_engine_is_no_part_of_the_exponent() -> None:
    runs = [run(Kind.CREATED, size, seconds) for size, seconds in ((3, 1.0), (30, 1.0), (300, 10.0))]
    runs += [run(Kind.CREATED, 30, 2.0), run(Kind.CREATED, 300, 20.0)]
    found = figures(runs)["exponent"]
    assert (found["value"], found["repeats"]) == (pytest.approx(1), 2)


def test_what_was_not_measured_is_null_with_a_reason() -> None:
    found = figures([run(Kind.CONFIGMAPS, 3, 1.0)])
    for name in ("ratio_to_floor_300", "exponent", "noop_preview_1000_s", "file_backend_exponent"):
        assert found[name]["value"] is None
        assert found[name]["reason"]
    assert json.loads(json.dumps(found)) == found


def test_the_table_shows_the_spread_of_each_command() -> None:
    runs = [run(Kind.READY, 30, seconds) for seconds in (4.0, 5.0, 9.0)] + [run(Kind.READY, 30, 2.0, "destroy")]
    console = Console(width=120, record=True)
    console.print(table({"runs": runs}))
    assert "5.0 [4.0-9.0]" in console.export_text()


def test_a_kube_burner_that_is_no_program_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="is not a program"):
        KubeBurner(Lab(Path("/lab"), DEFAULT_SUBNET), tmp_path)


def test_without_kube_burner_there_is_a_reason_instead_of_a_figure() -> None:
    found = creating._beside_kube_burner(Lab(Path("/lab"), DEFAULT_SUBNET), None, 10, 1, [], Console())
    assert found["value"] is None
    assert "KUBE_BURNER" in found["reason"]


def test_kube_burner_is_told_to_create_the_machines_in_one_namespace_and_to_wait(tmp_path: Path) -> None:
    kube_burner._write_job(tmp_path, {"kind": "VirtualMachine"}, 10)
    [job] = yaml.safe_load((tmp_path / "job.yaml").read_text())["jobs"]
    assert (job["jobIterations"], job["namespacedIterations"], job["waitWhenFinished"]) == (10, False, True)
    assert (tmp_path / job["objects"][0]["objectTemplate"]).exists()
