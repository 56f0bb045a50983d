"""What a refused configuration is told."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from components.settings import Settings
from components.settings.refusals import ConfigurationError, parse

PREFIX = "multi-tier:"


def accepted(config: Mapping[str, Any], model: type[Settings] = Settings) -> Settings:
    """Return the settings in a configuration whose objects are as in YAML."""
    return parse(_raw(config), model=model)


def refusals(
    config: Mapping[str, Any], secrets: frozenset[str] = frozenset(), model: type[Settings] = Settings
) -> list[str]:
    """Return the lines about the errors in a configuration, without the prefix of their keys."""
    with pytest.raises(ConfigurationError) as refused:
        parse(_raw(config), secrets, PREFIX, model)
    head, *lines = str(refused.value).split("\n  ")
    count = "an error" if len(lines) == 1 else f"{len(lines)} errors"
    assert head == f"The stack's configuration has {count}; nothing was changed."
    return [line.removeprefix(PREFIX) for line in lines]


def named(rows: list[tuple[dict[str, Any], str]]) -> list[Any]:
    """Return the rows of a table as parameters, named after the key that is refused."""
    return [pytest.param(*row, id=f"{number} {row[1].split(' ')[0]}") for number, row in enumerate(rows)]


def _raw(config: Mapping[str, Any]) -> dict[str, str]:
    return {key: value if isinstance(value, str) else json.dumps(value) for key, value in config.items()}
