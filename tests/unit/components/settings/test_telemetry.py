"""Settings of metrics and traces."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.components.settings.refused import named, refusals

MISTAKES: list[tuple[dict[str, Any], str]] = [
    (
        {"metrics": {"serviceMonitors": True}},
        "metrics.serviceMonitors: true needs metrics.enabled: there is nothing to scrape without it",
    ),
    (
        {"tracing": {"endpoint": "collector:4317"}},
        'tracing.endpoint: "collector:4317" must be a URL such as '
        '"http://collector.observability.svc.cluster.local:4318"',
    ),
    ({"tracing": {"endpoint": "http://here:4318", "sampling": 2}}, "tracing.sampling: 2 must be a number from 0 to 1"),
    (
        {"tracing": {"sampling": 0.5}},
        "tracing.sampling: 0.5 needs tracing.endpoint: traces have nowhere to go without it",
    ),
]


@pytest.mark.parametrize(("config", "line"), named(MISTAKES))
def test_a_mistake_about_telemetry_is_reported_in_one_line(config: dict[str, Any], line: str) -> None:
    assert refusals(config) == [line]
