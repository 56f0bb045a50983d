"""The page and the pipelines of previews agree with the code."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from preview.__main__ import app
from preview.report import MARKER, ExitCode

DOCS = Path(__file__).resolve().parents[3] / "docs"
PIPELINES = sorted(DOCS.glob("ci/*-preview*.yaml"))


def test_the_page_lists_every_exit_code() -> None:
    codes = re.findall(r"^\| (\d+) \|", (DOCS / "preview.md").read_text(), re.MULTILINE)
    assert codes == [str(code.value) for code in ExitCode]


def test_the_page_and_the_pipelines_use_existing_options() -> None:
    shown = CliRunner().invoke(app, ["show", "--help"], env={"COLUMNS": "200", "TERM": "dumb"}).output
    named = {
        option
        for path in (DOCS / "preview.md", *PIPELINES)
        for line in re.findall(r"-m preview show(.*)", path.read_text())
        for option in re.findall(r"--[a-z-]+", line)
    }
    assert named
    assert [option for option in named if option not in shown] == []


@pytest.mark.parametrize("name", ["github-preview-comment.yaml", "gitlab-preview.yaml"])
def test_a_pipeline_finds_its_earlier_comment_by_the_marker(name: str) -> None:
    assert MARKER in (DOCS / "ci" / name).read_text()


@pytest.mark.parametrize("name", ["github-preview.yaml", "gitlab-preview.yaml"])
def test_a_pipeline_passes_with_and_without_changes_and_fails_otherwise(name: str) -> None:
    (line,) = re.findall(r"test .*\|\| test .*", (DOCS / "ci" / name).read_text())
    assert re.findall(r"-eq (\d)", line) == [str(ExitCode.NO_CHANGE.value), str(ExitCode.CHANGE.value)]


@pytest.mark.parametrize("job", ["preview", "cluster-preview"])
def test_the_job_that_runs_the_changes_code_does_not_use_the_token_of_the_note(job: str) -> None:
    text = (DOCS / "ci" / f"gitlab-{job}.yaml").read_text()
    jobs = yaml.safe_load(text)
    assert [name for name, found in jobs.items() if "PREVIEW_TOKEN" in str(found)] == [f"{job}-note"]
    assert jobs[f"{job}-note"]["variables"]["GIT_STRATEGY"] == "none"
    assert re.search(f"environment scope (to|is) `{jobs[f'{job}-note']['environment']['name']}`", text)
    assert "environment" not in jobs[job]
