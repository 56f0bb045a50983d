"""The control plane of previews lives in a directory of its own."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from lab.config import DEFAULT_SUBNET, PROJECT, Lab
from lab.errors import LabError
from lab.root import claim
from preview.__main__ import app, selected
from preview.control_plane import preview_lab


@pytest.mark.parametrize("command", [["stop"], ["show", "--base", "HEAD", "--project", str(PROJECT)]])
def test_a_directory_of_somebody_else_is_refused_and_left_alone(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    foreign = tmp_path / "documents"
    (foreign / "bases").mkdir(parents=True)
    (foreign / "bases" / "thesis.tex").write_text("years of work")
    monkeypatch.setenv("MULTI_TIER_PREVIEW", str(foreign))
    result = CliRunner().invoke(app, command)
    assert isinstance(result.exception, LabError)
    assert "is not a lab's directory" in str(result.exception)
    assert [path.relative_to(tmp_path).as_posix() for path in sorted(tmp_path.rglob("*"))] == [
        "documents",
        "documents/bases",
        "documents/bases/thesis.tex",
    ]


@pytest.mark.parametrize("text", ["", "127.6", "127.64.0.0/16 or so", "nonsense"])
def test_a_torn_subnet_is_no_traceback(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "control-plane"
    claim(Lab(root, DEFAULT_SUBNET))
    (root / "subnet").write_text(text)
    monkeypatch.setenv("MULTI_TIER_PREVIEW", str(root))
    assert preview_lab().movable
    result = CliRunner().invoke(app, ["stop"])
    assert (result.exception, root.exists()) == (None, False)


def test_a_failure_replaces_the_report_of_an_earlier_preview(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    output = tmp_path / "report.md"
    output.write_text("nothing changes")
    monkeypatch.setenv("MULTI_TIER_PREVIEW", str(tmp_path))
    result = CliRunner().invoke(app, ["show", "--base", "nowhere", "--output", str(output)])
    assert "is not a commit" in str(result.exception)
    assert "Not previewed" in output.read_text()


def test_a_project_without_a_stack_is_a_failure() -> None:
    with pytest.raises(LabError, match="has no stack"):
        selected(None, set())
