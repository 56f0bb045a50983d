"""`make bench`: one file with a section for each part, of which another run replaces only what it measures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import bench.__main__ as command
from bench import creating, starting
from bench.figures import figure, missing
from bench.starting import TIERS


def started(*_: object, **__: object) -> dict[str, Any]:
    names = ("lab_from_nothing_s", "first_answer_s", "up_s", *(f"{tier}_ready_s" for tier in TIERS))
    return {**{name: figure([1.0]) for name in names}, "cold_lab_s": missing("not asked for")}


def test_another_run_replaces_only_the_sections_that_it_measures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(starting, "measure", started)
    other = {"quick": False}
    (tmp_path / "bench.json").write_text(json.dumps({"starting": {"old": True}, "other": other}))
    result = CliRunner().invoke(command.app, ["starting", "--quick", "--results", str(tmp_path)])
    assert result.exit_code == 0, result.output
    found = json.loads((tmp_path / "bench.json").read_text())
    assert found["other"] == other
    assert found["starting"]["quick"] is True
    assert found["starting"]["first_answer_s"] == {"value": 1, "spread": [1, 1], "repeats": 1}
    assert "starting.first_answer_s" in result.output
    assert "old" not in found["starting"]
    assert (tmp_path / "bench.svg").stat().st_size > 0


def test_a_part_that_fails_takes_nothing_from_those_before_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> dict[str, Any]:
        raise RuntimeError

    monkeypatch.setattr(starting, "measure", started)
    monkeypatch.setattr(creating, "measure", fail)
    result = CliRunner().invoke(command.app, ["starting", "creating", "--results", str(tmp_path)])
    assert result.exit_code != 0
    assert list(json.loads((tmp_path / "bench.json").read_text())) == ["machine", "starting"]
