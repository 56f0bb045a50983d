"""Costs are ratios within a round, and what turns attribution off matches the guests."""

from __future__ import annotations

import re

import pytest

from bench.costs import _ACCESS_LOG_OFF, _ATTRIBUTION_OFF, Saturated, _result
from tests.unit.cloudinit.guest_examples import application, parse, web


def files(user_data: str) -> dict[str, str]:
    return {file["path"]: file["content"] for file in parse(user_data)["write_files"]}


def test_a_cost_is_the_median_of_the_rounds_ratios() -> None:
    slow, fast = Saturated(50.0, 2.0), Saturated(100.0, 1.0)
    found = _result([slow, fast, fast], [slow, fast, Saturated(80.0, 1.0)], limit=0.05)
    assert found["throughput"]["ratio"] == {"values": [1, 1, 1.25], "median": 1, "least": 1, "most": 1.25}
    assert (found["cost"], found["within_limit"]) == (0, True)
    assert _result([fast], [Saturated(200.0, 1.0)], limit=0.05)["cost"] == pytest.approx(0.5)


def test_attribution_is_turned_off_in_a_unit_and_a_file_that_the_guests_have() -> None:
    (unit,) = set(re.findall(r"[\w-]+\.service", _ATTRIBUTION_OFF))
    assert f"/etc/systemd/system/{unit}" in files(application())
    assert any('"ATTRIBUTION"' in content for content in files(application()).values())
    ((directive, path),) = re.findall(r"'s/(.*?);/.*?' (\S+)", _ACCESS_LOG_OFF)
    assert re.search(directive, files(web())["/etc/virtwork/nginx.conf"])
    assert any(f"/etc/virtwork/nginx.conf {path}" in content for content in files(web()).values())
