"""A mistake about sizes and placement is told in one clear line, with its key, its value and what is allowed."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.components.settings.test_settings_refusals import QUANTITY
from tests.unit.components.settings.test_settings_refusals_disks import URL, lines

CPUS = 'must be a number of CPUs above zero, such as "500m" or 2'
LABELS = 'must be a mapping of node labels to their values as text, such as {"disktype": "ssd"}'
TOLERATIONS = (
    "must be a list of a Pod's tolerations, such as "
    '[{"key": "dedicated", "operator": "Equal", "value": "machines", "effect": "NoSchedule"}]'
)
EVICTIONS = "must be None, LiveMigrate, LiveMigrateIfPossible or External"
BOTH = "both size the machine: remove one of them"
SPREADS = "must be ScheduleAnyway, DoNotSchedule or Off"
STUCK = "so no drain would end: use ReadWriteMany there, or another"

MISTAKES: list[tuple[dict[str, Any], str]] = [
    ({"size": "huge"}, 'size: "huge" must be small, medium or large'),
    ({"size": "small", "vcpus": 2}, f"vcpus: 2 and size small {BOTH}"),
    ({"size": "small", "memory": "2Gi"}, f'memory: "2Gi" and size small {BOTH}'),
    ({"size": "large", "instancetype": "u1.small"}, f'size: "large" and instancetype u1.small {BOTH}'),
    ({"instancetype": "u1.small", "cpuRequest": 1}, f'cpuRequest: "1" and instancetype u1.small {BOTH}'),
    ({"instancetype": "u1.small", "memoryRequest": "1Gi"}, f'memoryRequest: "1Gi" and instancetype u1.small {BOTH}'),
    ({"cpuRequest": 0}, f"cpuRequest: 0 {CPUS}"),
    ({"cpuRequest": "0.5"}, f'cpuRequest: "0.5" {CPUS}'),
    ({"cpuRequest": True}, f"cpuRequest: true {CPUS}"),
    ({"memoryRequest": "1gb"}, f'memoryRequest: "1gb" {QUANTITY}'),
    (
        {"memory": "1Gi", "memoryRequest": "2Gi"},
        'memoryRequest: "2Gi" is more than the machine\'s memory, 1Gi: it would never be used',
    ),
    (
        {"size": "medium", "memoryRequest": "3Gi"},
        'memoryRequest: "3Gi" is more than the machine\'s memory, 2Gi: it would never be used',
    ),
    ({"nodeSelector": {}}, f"nodeSelector: {LABELS}"),
    ({"nodeSelector": "ssd"}, f'nodeSelector: "ssd" {LABELS}'),
    ({"nodeSelector": {"a b": "c"}}, f"nodeSelector: {LABELS}"),
    ({"nodeSelector": {"disktype": True}}, f"nodeSelector: {LABELS}"),
    ({"nodeSelector": {"disktype": "solid state"}}, f"nodeSelector: {LABELS}"),
    ({"tolerations": {"key": "a"}}, f"tolerations: {TOLERATIONS}"),
    ({"tolerations": []}, f"tolerations: {TOLERATIONS}"),
    ({"tolerations": [{"key": "a", "efect": "NoSchedule"}]}, f"tolerations: {TOLERATIONS}"),
    ({"tolerations": [{"key": "a", "effect": "Never"}]}, f"tolerations: {TOLERATIONS}"),
    ({"tolerations": [{"key": "a", "operator": "Exists", "value": "b"}]}, f"tolerations: {TOLERATIONS}"),
    ({"tolerations": [{"value": "b"}]}, f"tolerations: {TOLERATIONS}"),
    ({"tolerations": [{"key": "a", "tolerationSeconds": 5}]}, f"tolerations: {TOLERATIONS}"),
    ({"topologySpread": "preferred"}, f'topologySpread: "preferred" {SPREADS}'),
    ({"evictionStrategy": "Migrate"}, f'evictionStrategy: "Migrate" {EVICTIONS}'),
    (
        {"evictionStrategy": "LiveMigrate", "image": {"url": URL, "accessMode": "ReadWriteOnce"}},
        f'evictionStrategy: "LiveMigrate" can\'t migrate with image.accessMode ReadWriteOnce, {STUCK}',
    ),
]


@pytest.mark.parametrize(
    ("tier", "line"), MISTAKES, ids=[f"{n} {line.split(':')[0]}" for n, (_, line) in enumerate(MISTAKES)]
)
def test_a_mistake_about_a_machine_is_told_in_exactly_one_line(tier: dict[str, Any], line: str) -> None:
    assert lines({"application": tier}) == [f"multi-tier:application.{line}"]


def test_a_database_that_has_to_migrate_needs_a_disk_that_can() -> None:
    config = {"evictionStrategy": "LiveMigrate", "dataDisk": {"accessMode": "ReadWriteOncePod"}}

    problem = f"can't migrate with dataDisk.accessMode ReadWriteOncePod, {STUCK}"
    assert lines({"database": config}) == [f'multi-tier:database.evictionStrategy: "LiveMigrate" {problem}']


@pytest.mark.parametrize("tier", ["database", "load"])
def test_a_single_machine_has_nothing_to_be_spread_from(tier: str) -> None:
    (line,) = lines({tier: {"topologySpread": "Off"}})

    assert line == f"multi-tier:{tier}.topologySpread: is unknown here; it belongs to application, web"


def test_what_sizes_the_machine_twice_is_told_once() -> None:
    found = lines({"web": {"size": "small", "instancetype": "u1.small"}})

    assert found == [f'multi-tier:web.size: "small" and instancetype u1.small {BOTH}']
