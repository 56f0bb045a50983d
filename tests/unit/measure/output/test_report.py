"""The report and the summary's schema."""

from __future__ import annotations

import json
import re
from pathlib import Path

import jsonschema
import pytest

from cloudinit.load_plan import Profile
from lab.config import PROJECT
from measure.analysis.recording import Recording
from measure.analysis.summarize import summarize
from measure.analysis.timeline import timeline
from measure.output import report
from measure.output.files import SUMMARY, read_samples, read_summary
from measure.output.tables import PART_COLOURS
from measure.summary import MachineSummary, schema
from tests.unit.measure.conftest import Program
from tests.unit.measure.synthetic import TRACE, config, plan, stalled, write_run

SCHEMA = PROJECT / "docs" / "summary.schema.json"
HOSTILE = "<script>alert(1)</script>"


def write(directory: Path, profile: Profile = Profile.CONSTANT) -> Path:
    machine = MachineSummary(name=HOSTILE, tier="web", vcpus=1, memory="1Gi", image=None)
    configuration = config({"total.p99": 50.0}, (machine,))
    return write_run(directory, plan(profile, run="a-run"), stalled(4000, 5000), configuration)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    directory = write(tmp_path_factory.mktemp("report") / "run")
    summary = read_summary(directory)
    samples = read_samples(directory, summary)
    return report.render(summary, samples, timeline(samples, summary.plan))


def test_the_page_loads_nothing(page: str) -> None:
    assert "<script" not in page
    assert not re.search(r'\s(src|href|xlink:href)="(?!#)', page)
    assert not re.search(r"url\((?!#)|@import", page)


def test_the_page_has_plots_with_units_in_a_colour_blind_safe_palette(page: str) -> None:
    assert page.count("<svg") == 4
    for label in ("requests per second", "median latency (ms)", "p99 latency (ms)", "scheduled time (s)", "percentile"):
        assert f">{label}</text>" in page
    assert all(colour.lower() in page.lower() for colour in PART_COLOURS.values())
    assert "currentColor" in page, "axes follow the page's colour, light or dark"


def test_the_ids_in_the_page_are_unique(page: str) -> None:
    ids = re.findall(r'\sid="([^"]+)"', page)
    assert len(ids) == len(set(ids))


def test_the_page_has_verdict_versions_configuration_and_coordinated_omission(page: str) -> None:
    for words in (
        "failed",
        "exit code 1",
        "all scheduled requests, from their scheduled time",
        "closed-loop",
        "2.1.0",
        f"{TRACE}0000",
    ):
        assert words in page
    assert "&#34;concurrency&#34;: 10" in page


def test_the_page_says_what_a_gate_counts_and_from_when(page: str) -> None:
    assert "99th percentile of all scheduled requests, from their scheduled time to the response" in page


def test_the_page_escapes_names(page: str) -> None:
    assert HOSTILE not in page
    assert "&lt;script&gt;" in page


def test_a_report_is_recreated_from_the_runs_files(measure: Program, tmp_path: Path) -> None:
    directory = write(tmp_path / "[bracketed]", Profile.STRESS)
    before = {path.name: path.read_bytes() for path in directory.iterdir()}
    ended = measure("report", directory)
    assert ended.code == 0
    assert "Steps" in ended.out
    assert f"Report: {directory / 'report.html'}" in ended.out
    assert (directory / "report.html").exists()
    assert {name: (directory / name).read_bytes() for name in before} == before


def test_a_run_without_requests_has_a_page() -> None:
    recording = Recording.of(plan(run="a-run"), {})
    summary = summarize(recording, config({"total.p99": 50.0}))
    page = report.render(summary, recording.samples, timeline(recording.samples, recording.plan))
    assert "not answered: 1,000 of 1,000 requests" in page


@pytest.mark.parametrize("profile", list(Profile))
def test_the_documented_schema_is_current_and_summaries_match_it(profile: Profile, tmp_path: Path) -> None:
    assert SCHEMA.read_text() == schema(), ".venv/bin/python -m measure.summary > docs/summary.schema.json"
    document = json.loads((write(tmp_path / "run", profile) / SUMMARY).read_text())
    jsonschema.Draft202012Validator(json.loads(schema())).validate(document)


def test_a_summary_of_another_version_is_refused(measure: Program, tmp_path: Path) -> None:
    path = write(tmp_path / "run") / SUMMARY
    path.write_text(path.read_text().replace('"schema_version": 3', '"schema_version": 2'))
    ended = measure("report", tmp_path / "run")
    assert ended.code == 2
    assert "summary.json doesn't match this version's schema: schema_version" in ended.err
