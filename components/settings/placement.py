"""The kinds of value that say where machines may run, and what is set aside for them there."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Annotated

from pydantic import BeforeValidator

from components.settings.values import choice

_LABEL_NAME = r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?"
_LABEL_KEY = re.compile(rf"([a-z0-9]([a-z0-9.-]{{0,251}}[a-z0-9])?/)?{_LABEL_NAME}", re.ASCII)
_LABEL_VALUE = re.compile(rf"({_LABEL_NAME})?", re.ASCII)
_CPU = re.compile(r"[1-9][0-9]{0,5}m|[1-9][0-9]{0,2}", re.ASCII)


class EvictionStrategy(StrEnum):
    """What becomes of a machine whose node is drained."""

    NONE = "None"
    LIVE_MIGRATE = "LiveMigrate"
    LIVE_MIGRATE_IF_POSSIBLE = "LiveMigrateIfPossible"
    EXTERNAL = "External"


class TopologySpread(StrEnum):
    """How strictly a tier's machines are kept on different nodes; the first two are the scheduler's words."""

    SCHEDULE_ANYWAY = "ScheduleAnyway"
    DO_NOT_SCHEDULE = "DoNotSchedule"
    OFF = "Off"


def _labels(value: object) -> object:
    fits = (
        isinstance(value, dict)
        and value
        and all(
            isinstance(one, str) and _LABEL_KEY.fullmatch(key) and _LABEL_VALUE.fullmatch(one)
            for key, one in value.items()
        )
    )
    if not fits:
        raise ValueError('must be a mapping of node labels to their values as text, such as {"disktype": "ssd"}')
    return value


def _tolerations(value: object) -> object:
    if not isinstance(value, list) or not value or not all(_is_toleration(one) for one in value):
        example = '[{"key": "dedicated", "operator": "Equal", "value": "machines", "effect": "NoSchedule"}]'
        raise ValueError(f"must be a list of a Pod's tolerations, such as {example}")
    return value


def _is_toleration(value: object) -> bool:
    """Whether the API would take it: without a key only with Exists, and without a value there."""
    if not isinstance(value, dict) or not set(value) <= {"key", "operator", "value", "effect", "tolerationSeconds"}:
        return False
    key, operator, text = value.get("key"), value.get("operator", "Equal"), value.get("value", "")
    seconds, effect = value.get("tolerationSeconds"), value.get("effect")
    return (
        (operator == "Exists" and not text if key is None else isinstance(key, str) and bool(_LABEL_KEY.fullmatch(key)))
        and operator in {"Equal", "Exists"}
        and isinstance(text, str)
        and (operator == "Equal" or not text)
        and effect in {None, "NoSchedule", "PreferNoSchedule", "NoExecute"}
        and (seconds is None or (type(seconds) is int and effect == "NoExecute"))
    )


def _cpu_request(value: object) -> object:
    # `cpuRequest: 2` is a number in YAML.
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if not isinstance(text, str) or not _CPU.fullmatch(text):
        raise ValueError('must be a number of CPUs above zero, such as "500m" or 2')
    return text


EvictionStrategyName = Annotated[EvictionStrategy, choice(EvictionStrategy)]
TopologySpreadName = Annotated[TopologySpread, choice(TopologySpread)]
CpuRequest = Annotated[str, BeforeValidator(_cpu_request)]
NodeLabels = Annotated[dict[str, str], BeforeValidator(_labels)]
Tolerations = Annotated[list[dict[str, str | int]], BeforeValidator(_tolerations)]
