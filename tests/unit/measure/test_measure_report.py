"""The report and the summary's schema."""

from __future__ import annotations

import json
import re
from pathlib import Path

import jsonschema
import pytest

from cloudinit.load_plan import Profile
from lab.config import PROJECT
from measure.analysis.summarize import summarize
from measure.output import report, results
from measure.output.figures import PART_COLOURS
from measure.output.results import SUMMARY, read_samples, read_summary
from measure.run.agent import RunStatus
from measure.run.session import new_progress
from measure.summary import Config, Machine, schema
from tests.unit.measure.conftest import Measure
from tests.unit.measure.fake_cluster import TRACE
from tests.unit.measure.synthetic import frozen, plan, requests

SCHEMA = PROJECT / "docs" / "summary.schema.json"
HOSTILE = "<script>alert(1)</script>"


def record(directory: Path, profile: Profile = Profile.CONSTANT) -> Path:
    directory.mkdir()
    progress = new_progress(plan(profile, run="a-run"), {})
    lines = "".join(line for _, line in requests(progress.plan, frozen(4000, 5000))).encode()
    progress.recording.append(lines)
    progress.run = RunStatus(id="a-run", state="finished", started=1_800_000_000.5, trace=TRACE)
    if progress.stairs:
        progress.stairs.judge(progress.samples, 30.0, ended=True)
    with results.SamplesFile(directory) as file:
        file.keep(lines, TRACE)
    machine = Machine(name=HOSTILE, tier="web", vcpus=1, memory="1Gi", image=None)
    config = Config(namespace="n", name="m", target="http://web", stack_plan={}, gates={}, machines=[machine])
    summary = summarize(progress, {"total.p99": 50.0}, config, {"k6": "1.8.1"}, None)
    results.write(directory, summary, progress.samples)
    return directory


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    directory = record(tmp_path_factory.mktemp("report") / "run")
    summary, samples = read_summary(directory), read_samples(directory)
    return report.render(summary, samples, results.timeline_of(summary, samples))


def test_the_page_loads_nothing(page: str) -> None:
    assert "<script" not in page
    assert not re.search(r'\s(src|href|xlink:href)="(?!#)', page)
    assert not re.search(r"url\((?!#)|@import", page)


def test_the_page_has_its_plots_with_units_in_colours_that_everybody_tells_apart(page: str) -> None:
    assert page.count("<svg") == 4
    for label in ("requests per second", "median time (ms)", "p99 (ms)", "time since the begin (s)", "percentile"):
        assert f">{label}</text>" in page
    assert all(colour.lower() in page.lower() for colour in PART_COLOURS.values())
    assert "currentColor" in page, "axes are in the page's own colour, light or dark"


def test_the_page_names_are_unique(page: str) -> None:
    names = re.findall(r'\sid="([^"]+)"', page)
    assert len(names) == len(set(names))


def test_the_page_has_verdict_versions_config_and_the_two_ways_to_count(page: str) -> None:
    for words in ("failed", "exit code 1", "it was due: the truth", "closed-loop", "1.8.1", f"{TRACE}0000"):
        assert words in page
    assert "&#34;concurrency&#34;: 10" in page


def test_the_page_shows_names_and_runs_none(page: str) -> None:
    assert HOSTILE not in page
    assert "&lt;script&gt;" in page


def test_a_report_is_made_again_from_files(call: Measure, tmp_path: Path) -> None:
    directory = record(tmp_path / "run", Profile.STRESS)
    before = {path.name: path.read_bytes() for path in directory.iterdir()}
    said = call("report", directory)
    assert said.code == 0
    assert "Stairs" in said.out
    assert (directory / "report.html").exists()
    assert {name: (directory / name).read_bytes() for name in before} == before


def test_a_run_without_a_request_has_a_page_too(tmp_path: Path) -> None:
    progress = new_progress(plan(run="a-run"), {})
    config = Config(namespace="n", name="m", target="", stack_plan={}, gates={}, machines=[])
    summary = summarize(progress, {"total.p99": 50.0}, config, {}, None)
    timeline = results.write(tmp_path, summary, progress.samples)
    assert "unknown (no request tells it)" in report.render(summary, progress.samples, timeline)


@pytest.mark.parametrize("profile", list(Profile))
def test_the_documented_schema_is_current_and_fits_what_is_written(profile: Profile, tmp_path: Path) -> None:
    assert SCHEMA.read_text() == schema(), "python -m measure.summary > docs/summary.schema.json"
    document = json.loads((record(tmp_path / "run", profile) / SUMMARY).read_text())
    jsonschema.Draft202012Validator(json.loads(schema())).validate(document)


def test_a_summary_of_another_version_is_refused(call: Measure, tmp_path: Path) -> None:
    path = record(tmp_path / "run") / SUMMARY
    path.write_text(path.read_text().replace('"schema_version": 1', '"schema_version": 2'))
    said = call("report", tmp_path / "run")
    assert said.code == 2
    assert "summary.json is not of this version: schema_version" in said.err
