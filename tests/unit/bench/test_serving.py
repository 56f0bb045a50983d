"""Serving's figures compare the sides repeat by repeat."""

from __future__ import annotations

from typing import Any

import pytest

from bench.serving import OURS, RECIPE, SIDES, TIERS, figures, table


def run(side: str, per_second: float, cpu_ms: float, p99: float) -> dict[str, Any]:
    latencies = {f"{name}_ms_at_{rate}": p99 for name in ("p50", "p99") for rate in (50, 100)}
    used = {f"cpu_ms_{tier}": cpu_ms for tier in TIERS}
    return {"side": side, "per_second": per_second, "cpu_ms": 3 * cpu_ms, **used, **latencies}


RUNS = [run(side, 100, 1, 8) for side in SIDES if side != OURS] + [run(OURS, 3000, 0.1, 2)]
RUNS += [run(side, 50, 1, 8) for side in SIDES if side != OURS] + [run(OURS, 2000, 0.2, 4)]


def test_throughput_and_latency_are_ratios_to_the_recipe_in_the_same_repeat() -> None:
    found = figures(RUNS)
    assert found["throughput_ratio"] == {"value": 35, "spread": [30, 40], "repeats": 2}
    assert found["p99_ratio_at_50"]["spread"] == [0.25, 0.5]


def test_processor_time_is_that_of_all_tiers_and_of_each() -> None:
    found = figures(RUNS)
    assert found["cpu_ms_per_request"]["spread"] == pytest.approx([0.3, 0.6])
    assert [found[f"cpu_ms_per_request_{tier}"]["value"] for tier in TIERS] == pytest.approx([0.15] * 3)


def test_the_table_has_every_side_and_both_limits() -> None:
    limits = {f"{name}_per_second": figures(RUNS)["throughput_ratio"] for name in ("pgbench", "nginx")}
    rows = list(table({**limits, "runs": RUNS}).columns[0].cells)
    assert rows == [OURS, RECIPE, "go", "pgbench alone", "nginx alone"]
