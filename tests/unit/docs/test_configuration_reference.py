"""The tables of docs/configuration.md are generated from the settings: `pytest tests/unit/docs --update-golden`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import pytest
import yaml

from components.settings import Settings
from components.settings.schema import Schema, allowed, schema_of
from lab.config import PROJECT

PAGE = PROJECT / "docs" / "configuration.md"
BEGIN, END = "<!-- generated from the settings -->\n", "<!-- end -->"
TIERS = ("database", "application", "web", "load")
TIER = "<tier>"
STACK, MACHINE = "The stack", "Every machine"


@dataclass(frozen=True, slots=True)
class Setting:
    """One row of a table."""

    default: str
    allowed: str
    meaning: str


def settings_of(schema: Schema, home: str = "") -> Iterator[tuple[str, Setting]]:
    """Yield every setting by its dotted key; an object only where leaving it out means something."""
    for name, field in schema["properties"].items():
        key, nested = f"{home}{name}", "properties" in field
        if not nested or field.get("default", "") is None:
            yield key, Setting(_default(field), "a mapping" if nested else allowed(field), field["description"])
        if nested:
            yield from settings_of(field, f"{key}.")
        items = field.get("items", {})
        if "properties" in items and "allowed" not in field:
            yield from settings_of(items, f"{key}[].")


def _default(field: Schema) -> str:
    if "default" not in field:
        return "required"
    default = field["default"]
    return "unset" if default is None else f"`{str(default).lower() if isinstance(default, bool) else default}`"


@cache
def rows() -> dict[str, Setting]:
    """Return every setting by its key; what all tiers share is one row."""
    found = dict(settings_of(schema_of(Settings)))
    merged: dict[str, Setting] = {}
    for key, setting in found.items():
        tier, _, rest = key.partition(".")
        shared = [found.get(f"{one}.{rest}") for one in TIERS]
        if tier not in TIERS or None in shared:
            merged[key] = setting
        elif tier == "application":
            database = found[f"database.{rest}"].default
            differs = f" (database: {database})" if database != setting.default else ""
            merged[f"{TIER}.{rest}"] = Setting(setting.default + differs, setting.allowed, setting.meaning)
    return merged


def reference() -> str:
    """Return the tables, one for each group of settings, under the group's description in Pulumi.yaml."""
    descriptions = {
        key: declared["description"]
        for key, declared in yaml.safe_load((PROJECT / "Pulumi.yaml").read_text())["config"].items()
        if "description" in declared
    }
    descriptions[TIER] = f"For `{'`, `'.join(TIERS[:-1])}` and, with a machine of its own, `{TIERS[-1]}`."
    groups: dict[str, list[str]] = {}
    for key, row in rows().items():
        top = key.partition(".")[0]
        group = STACK if top == key else top
        groups.setdefault(group, []).append(f"| `{key}` | {row.default} | {row.allowed} | {row.meaning} |")
    order = [STACK, TIER, *(group for group in groups if group not in (STACK, TIER))]
    return "\n".join(
        "\n".join(
            [
                f"## {MACHINE if group == TIER else group}\n",
                *([f"{descriptions[group]}\n"] if group in descriptions else []),
                "| key | default | allowed | meaning |",
                "|---|---|---|---|",
                *groups[group],
                "",
            ]
        )
        for group in order
    )


def test_the_page_has_every_setting_with_its_default(request: pytest.FixtureRequest) -> None:
    before, _, rest = PAGE.read_text().partition(BEGIN)
    written, _, after = rest.partition(END)
    if request.config.getoption("--update-golden"):
        written = f"\n{reference()}\n"
        PAGE.write_text(f"{before}{BEGIN}{written}{END}{after}")
    assert written.strip() == reference().strip(), "run: .venv/bin/python -m pytest tests/unit/docs --update-golden"


def test_a_shared_row_hides_no_difference_between_tiers() -> None:
    found = dict(settings_of(schema_of(Settings)))
    for key, setting in found.items():
        tier, _, rest = key.partition(".")
        if tier == "web" and f"database.{rest}" in found:
            assert setting == found[f"application.{rest}"]
            assert setting.allowed == found[f"database.{rest}"].allowed
