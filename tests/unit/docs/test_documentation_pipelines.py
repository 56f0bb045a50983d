"""The pipelines in docs/ci/ and this repository's own workflows are valid, and run only what is pinned and exists."""

from __future__ import annotations

import re
import subprocess
import sys
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
import yaml

from lab.config import PROJECT
from tests.documented_commands import commands

WORKFLOWS = sorted((PROJECT / ".github" / "workflows").glob("*.yaml"))
PIPELINES = [*sorted((PROJECT / "docs" / "ci").glob("*.yaml")), *WORKFLOWS]
GITHUB = [path for path in PIPELINES if path.name.startswith("github-") or path in WORKFLOWS]
GITLAB = [path for path in PIPELINES if path.name.startswith("gitlab-")]
PUBLIC_RUN = PROJECT / ".github" / "workflows" / "kind.yaml"


def by_name(path: Path) -> str:
    return path.name


def pulumi_version() -> str:
    (version,) = re.findall(r"^pulumi==(\S+)", (PROJECT / "requirements.in").read_text(), re.M)
    return str(version)


def github(name: str) -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load((PROJECT / "docs" / "ci" / name).read_text())
    return document


def test_every_pipeline_is_for_github_or_gitlab() -> None:
    assert sorted(GITHUB + GITLAB) == sorted(PIPELINES)


@pytest.mark.parametrize(("schema", "paths"), [("vendor.github-workflows", GITHUB), ("vendor.gitlab-ci", GITLAB)])
def test_pipelines_are_valid_by_their_services_schema(schema: str, paths: list[Path]) -> None:
    check = Path(sys.executable).with_name("check-jsonschema")
    done = subprocess.run(
        [check, "--builtin-schema", schema, *paths], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("path", GITHUB, ids=by_name)
def test_every_action_is_pinned_by_commit_with_its_version_beside_it(path: Path) -> None:
    uses = re.findall(r"uses: (.+)", path.read_text())
    assert uses
    assert [one for one in uses if not re.fullmatch(r"[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", one)] == []


def test_an_action_is_of_one_version_in_all_pipelines() -> None:
    found = {one for path in GITHUB for one in re.findall(r"uses: (\S+@\S+)", path.read_text())}
    assert len(found) == len({one.partition("@")[0] for one in found})


@pytest.mark.parametrize("path", GITHUB, ids=by_name)
def test_the_token_of_a_workflow_may_only_read_unless_a_job_says_more(path: Path) -> None:
    assert yaml.safe_load(path.read_text())["permissions"] == {"contents": "read"}


@pytest.mark.parametrize("path", PIPELINES, ids=by_name)
def test_the_engine_is_of_the_version_that_the_program_is_locked_to(path: Path) -> None:
    versions = re.findall(r"pulumi-version: (\S+)|pulumi/pulumi-python-[\d.]+:(\S+)", path.read_text())
    assert {version for pair in versions for version in pair if version} <= {pulumi_version()}


def gitlab(name: str, job: str) -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load((PROJECT / "docs" / "ci" / name).read_text())[job]
    return document


def scripts(path: Path) -> list[str]:
    """Return the scripts of a pipeline: those of GitHub's steps, or those of GitLab's jobs."""
    document = yaml.safe_load(path.read_text())
    if path in GITHUB:
        return [step["run"] for job in document["jobs"].values() for step in job["steps"] if "run" in step]
    parts = ("before_script", "script", "after_script")
    return ["\n".join(chain.from_iterable(job.get(part, []) for part in parts)) for job in document.values()]


@pytest.mark.parametrize("path", PIPELINES, ids=by_name)
def test_shellcheck_has_nothing_to_say_about_the_scripts(path: Path) -> None:
    shellcheck = Path(sys.executable).with_name("shellcheck")
    for script in scripts(path):
        done = subprocess.run(
            [shellcheck, "--shell=bash", "-"], input=script, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("path", GITLAB, ids=by_name)
def test_a_job_that_runs_make_installs_it_first(path: Path) -> None:
    # Neither Pulumi's image nor Debian's has it.
    for script in scripts(path):
        before, runs, _ = script.partition("\nmake ")
        assert not runs or re.search(r"^apt-get install .*\bmake\b", before, re.M)


@pytest.mark.parametrize("path", PIPELINES, ids=by_name)
def test_the_stacks_that_a_pipeline_names_have_their_files(path: Path) -> None:
    named = set(re.findall(r"(?:--stack|stack-name:|stack select --create) (\w+)", path.read_text()))
    assert [name for name in named if not (PROJECT / "stacks" / f"Pulumi.{name}.yaml").exists()] == []


@pytest.mark.parametrize("path", GITHUB, ids=by_name)
def test_every_job_on_github_ends_in_time(path: Path) -> None:
    jobs = yaml.safe_load(path.read_text())["jobs"]
    assert [name for name, job in jobs.items() if "timeout-minutes" not in job] == []


def test_the_public_run_types_what_the_laptop_page_shows_for_kind() -> None:
    typed = "\n".join(scripts(PUBLIC_RUN)).splitlines()
    shown = [one.text for one in commands(PROJECT / "docs" / "laptop.md") if one.in_block]
    others = [text for text in shown if not text.startswith("minikube ") and text not in typed]
    assert [text for text in others if "useEmulation" not in text and text != "kind delete cluster"] == []


@pytest.mark.parametrize("name", ["github-actions.yaml", "github-cluster-preview.yaml"])
def test_a_pull_request_from_a_fork_gets_no_secret_on_github(name: str) -> None:
    same = "github.event.pull_request.head.repo.full_name == github.repository"
    for job in github(name)["jobs"].values():
        assert job["if"] == same or "secrets." not in yaml.safe_dump(job)


@pytest.mark.parametrize(
    ("name", "job"), [("gitlab-ci.yaml", "latency"), ("gitlab-cluster-preview.yaml", "cluster-preview")]
)
def test_a_merge_request_from_a_fork_reaches_no_cluster_on_gitlab(name: str, job: str) -> None:
    rules = gitlab(name, job)["rules"]
    assert all("$CI_MERGE_REQUEST_SOURCE_PROJECT_ID == $CI_PROJECT_ID" in one["if"] for one in rules)


def test_the_files_that_key_the_cache_exist() -> None:
    keys = gitlab("gitlab-preview.yaml", "preview")["cache"]["key"]["files"]
    for path in GITHUB:
        keys += re.findall(r"'([\w./*-]+)'", "".join(re.findall(r"hashFiles\(.*\)", path.read_text())))
    assert [key for key in keys if not any(PROJECT.glob(key))] == []


def test_the_previews_on_a_cluster_change_nothing_and_ask_the_policy_pack() -> None:
    steps = github("github-cluster-preview.yaml")["jobs"]["preview"]["steps"]
    (settings,) = (one["with"] for one in steps if one.get("uses", "").startswith("pulumi/actions@"))
    assert settings["command"] == "preview"
    assert (PROJECT / settings["policyPacks"] / "PulumiPolicy.yaml").exists()
    assert settings["comment-on-pr"]
    (command,) = re.findall(
        r"pulumi (?!login).*--stack.*", (PROJECT / "docs/ci/gitlab-cluster-preview.yaml").read_text()
    )
    assert command.startswith("pulumi preview ")
    assert "--policy-pack policy" in command


def test_pre_commit_runs_tools_of_the_environment_and_downloads_nothing() -> None:
    repositories = yaml.safe_load((PROJECT / ".pre-commit-config.yaml").read_text())["repos"]
    hooks = [hook for repository in repositories for hook in repository["hooks"]]
    assert {repository["repo"] for repository in repositories} == {"local"}
    assert {hook["language"] for hook in hooks} == {"system"}
    assert [hook["entry"] for hook in hooks if not hook["entry"].startswith((".venv/bin/", "git "))] == []
