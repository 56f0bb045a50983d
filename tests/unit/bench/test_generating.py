"""What generators report is held against what is true, and one that is absent says why."""

from __future__ import annotations

from typing import Any

import pytest

from bench.generating import figures, table, true_p99
from bench.generators import OURS


def run(tool: str, rate: int, delivered: float | None, **more: float) -> dict[str, Any]:
    return {"tool": tool, "rate": rate, "sent": 100, "delivered": delivered, "cpu_us": 9.0, "p99_ms": 45.0, **more}


def test_the_true_percentile_follows_from_when_the_server_was_frozen() -> None:
    frozen = [(second + 0.5, second + 0.6) for second in range(10)]
    # A tenth of the requests waits, each up to 100 ms: one in a hundred waits more than 90.
    assert true_p99(frozen, 0, 10) == pytest.approx(90, abs=1)
    assert true_p99([], 0, 10) == 0


def test_our_figures_are_plain_and_the_peers_have_their_names() -> None:
    runs = [run(OURS, 1000, 1.0), run(OURS, 200, 1.0, true_p99_ms=90.0), run("wrk", 1000, None)]
    found = figures(runs, {"hey": "apt knows no hey"})
    assert found["delivered_at_1000"] == {"value": 1, "spread": [1, 1], "repeats": 1}
    assert found["p99_error"]["value"] == pytest.approx(-0.5)
    assert found["wrk_delivered_at_1000"] == {"value": None, "reason": "it has no rate"}
    assert found["wrk_cpu_us_per_request"]["value"] == 9
    assert found["hey_delivered_at_1000"] == {"value": None, "reason": "apt knows no hey"}


def test_the_table_has_the_generators_that_were_measured() -> None:
    runs = [run(OURS, rate, 1.0, **more) for rate, more in ((1000, {}), (200, {"true_p99_ms": 90.0}))]
    rows = table({**figures(runs, {}), "runs": runs})
    assert [next(iter(column.cells)) for column in rows.columns][0::4] == [OURS, "90.0"]
