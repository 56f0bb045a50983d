"""A stack is deployed once for each base and previewed in that state; a recording engine stands in for Pulumi."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterable
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any, cast

import pytest

from lab.config import Lab
from preview.baseline import Baseline
from preview.changes import consequences
from preview.checkout import Program
from preview.cluster import Cluster
from preview.stacks import Comparison
from tests.unit.preview.engine_steps import DATABASE, manifest, replacement

# Its files are beside it, because the engine gets no variables of this process.
ENGINE = """#!/bin/sh
cd "$(dirname "$0")"
echo "$*" >> record
env > environment
case $1 in
stack) states=${PULUMI_BACKEND_URL#file://}/.pulumi/stacks/tiers
    mkdir -p "$states"; echo '{"version": 3, "checkpoint": {}}' > "$states/$3.json" ;;
up) test ! -e up-fails || { echo "Diagnostics:"; cat up-fails; exit 1; } ;;
preview) cat digest; cat stderr >&2; exit "$(cat code)" ;;
esac
"""


# The engine's first step is always the stack itself.
STACK = {"op": "same", "urn": "urn:pulumi:lab::tiers::pulumi:pulumi:Stack::tiers-lab", "newState": {"custom": False}}


class FakeCluster:
    def __init__(self) -> None:
        self.existing: list[str] = []

    def ensure_namespace(self, name: str) -> None:
        self.existing.append(name)

    def namespaces(self, prefix: str) -> list[str]:
        return [name for name in self.existing if name.startswith(prefix)]

    def remove_namespaces(self, names: Iterable[str]) -> None:
        for name in [*names]:
            self.existing.remove(name)

    def refusal(self, manifest: dict[str, Any]) -> str:
        return f"{manifest['metadata']['namespace']} is full"


class Preview:
    """The base and the head of one project, and an engine in place of Pulumi."""

    def __init__(self, directory: Path) -> None:
        self.lab = Lab(directory / "lab", IPv4Network("127.98.0.0/16"))
        names = ("record", "digest", "up-fails", "environment")
        self.record, self.digest, self.up_fails, self.environment = (self.lab.binaries / name for name in names)
        self.scratch = directory / "scratch"
        for path in (self.lab.binaries, self.scratch):
            path.mkdir(parents=True)
        (self.lab.binaries / "pulumi").write_text(ENGINE)
        (self.lab.binaries / "pulumi").chmod(0o755)
        self.cluster = FakeCluster()
        self.programs = [self._program(directory / name) for name in ("base", "head")]
        self.answers([])

    def answers(self, steps: list[dict[str, Any]], code: int = 0, stderr: str = "", **digest: Any) -> None:
        (self.lab.binaries / "code").write_text(str(code))
        (self.lab.binaries / "stderr").write_text(stderr)
        self.digest.write_text(json.dumps({"steps": [STACK, *steps], **digest}))

    def comparison(self, commit: str = "0123") -> Comparison:
        base, head = self.programs
        cluster = cast("Cluster", self.cluster)
        baseline = Baseline(self.lab, cluster, base, commit, self.scratch)
        baseline.remove_others()
        return Comparison(baseline, head, cluster)

    def commands(self) -> list[str]:
        return [" ".join(line.split()[:2]) for line in self.record.read_text().splitlines()]

    def _program(self, directory: Path) -> Program:
        (directory / "stacks").mkdir(parents=True)
        (directory / "Pulumi.yaml").write_text("{name: tiers, stackConfigDir: stacks}")
        (directory / "stacks" / "Pulumi.lab.yaml").write_text("config: {tiers:namespace: shop}\nencryptionsalt: v1\n")
        return Program.load(directory)


@pytest.fixture
def preview(tmp_path: Path) -> Preview:
    return Preview(tmp_path)


def test_the_base_is_deployed_once_and_forgotten_with_the_next_base(preview: Preview) -> None:
    for _ in range(2):
        assert preview.comparison().report("lab").result == "no change"
    assert preview.commands() == ["stack init", "up --stack", "preview --stack", "preview --stack"]
    former = set(preview.cluster.existing)
    preview.comparison("4567").report("lab")
    assert preview.commands()[4:] == ["stack init", "up --stack", "preview --stack"]
    assert not former & set(preview.cluster.existing)


def test_a_base_that_cannot_be_deployed_is_an_empty_stack_and_is_tried_again(preview: Preview) -> None:
    preview.up_fails.write_text("  no such image\n")
    for _ in range(2):
        assert preview.comparison().report("lab").base_refusal == "no such image"
    assert preview.commands() == ["stack init", "up --stack", "stack init", "preview --stack"] * 2


def test_a_replacement_that_admission_refuses_is_refused_under_its_real_namespace(preview: Preview) -> None:
    comparison = preview.comparison()
    alias = comparison.baseline.deploy("lab").alias("shop")
    objects = [manifest("Service", "web", spec={"port": port}) for port in (80, 81)]
    for one in objects:
        one["metadata"]["namespace"] = alias
    preview.answers(replacement(objects[0], objects[1]))
    report = comparison.report("lab")
    assert report.refusals == ["Service web: shop is full"]
    assert report.changes[0].new["metadata"]["namespace"] == "shop"


def test_new_and_removed_stacks_are_noted(preview: Preview) -> None:
    _, head = preview.programs
    head.stacks["mine"] = head.stacks.pop("lab")
    comparison = preview.comparison()
    assert comparison.report("lab").result == "file removed"
    assert "is new" in comparison.report("mine").notes[0]
    assert preview.commands() == ["stack init", "preview --stack"]


def test_the_changes_code_does_not_get_the_secrets_in_the_environment(
    preview: Preview, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("PREVIEW_TOKEN", "GITHUB_TOKEN", "PULUMI_ACCESS_TOKEN", "AWS_SECRET_ACCESS_KEY", "SSH_AUTH_SOCK"):
        monkeypatch.setenv(name, "sentinel")
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    monkeypatch.setenv("https_proxy", "http://proxy.example:3128")
    preview.comparison().report("lab")
    found = dict(line.split("=", 1) for line in preview.environment.read_text().splitlines())
    assert "sentinel" not in found.values()
    assert found["KUBECONFIG"] == str(preview.lab.kubeconfig)
    assert found["PATH"].startswith(f"{preview.lab.binaries}:")
    assert (found["LC_ALL"], found["https_proxy"]) == ("C.UTF-8", "http://proxy.example:3128")


TORN = ["", '{"token": "preview-', "[]", "null", '{"token": null}', "{}"]


@pytest.mark.parametrize("text", TORN)
@pytest.mark.parametrize("place", ["bases/0123/lab.json", "bases/0123/**/stacks/tiers/lab.json"])
def test_a_torn_record_or_state_is_deployed_again(preview: Preview, place: str, text: str) -> None:
    preview.comparison().report("lab")
    (file,) = preview.lab.root.glob(place)
    file.write_text(text)
    former = set(preview.cluster.existing)
    report = preview.comparison().report("lab")
    assert (report.failure, report.result) == ("", "no change")
    assert preview.commands() == ["stack init", "up --stack", "preview --stack"] * 2
    preview.comparison()
    assert not former & set(preview.cluster.existing)


def test_a_stack_with_a_pattern_for_a_name_leaves_the_others_alone(preview: Preview) -> None:
    for program in preview.programs:
        program.stacks["*"] = program.stacks["lab"]
    comparison = preview.comparison()
    for name in ("lab", "*"):
        comparison.report(name)
    preview.comparison().report("lab")
    assert preview.commands()[-2:] == ["preview --stack", "preview --stack"], "the stack lab is not deployed again"


def test_a_full_disk_is_a_failure_that_says_so(preview: Preview, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    comparison = preview.comparison()
    monkeypatch.setattr("os.fsync", full)
    assert "No space left on device" in comparison.report("lab").failure
    monkeypatch.undo()
    assert preview.comparison().report("lab").result == "no change"


@pytest.mark.parametrize(
    "digest",
    [
        pytest.param({"steps": []}, id="no step"),
        pytest.param({"steps": None}, id="no steps"),
        pytest.param({"changeSummary": {"same": 1, "delete": 2}}, id="fewer steps than it counted"),
    ],
)
def test_an_incomplete_preview_is_a_failure(preview: Preview, digest: dict[str, Any]) -> None:
    preview.digest.write_text(json.dumps({"steps": [STACK], **digest}))
    report = preview.comparison().report("lab")
    assert report.failure.startswith("The engine's preview is incomplete"), report


@pytest.mark.parametrize("text", ["", "[]", "null", '{"steps": [{"op": "sa'])
def test_an_engine_that_ends_without_a_result_is_a_failure(preview: Preview, text: str) -> None:
    preview.digest.write_text(text)
    assert preview.comparison().report("lab").failure


def test_an_engine_that_is_killed_is_a_failure_and_not_a_refusal(preview: Preview) -> None:
    preview.answers([], diagnostics=[{"severity": "error", "message": "error: a plugin is gone"}])
    engine = preview.lab.binaries / "pulumi"
    engine.write_text(engine.read_text().replace('exit "$(cat code)"', "kill -KILL $$"))
    report = preview.comparison().report("lab")
    assert (report.refusals, report.failure) == ((), "`pulumi preview` was killed by signal 9. Try again.")


def test_an_error_of_an_engine_that_succeeds_is_a_refusal(preview: Preview) -> None:
    preview.answers([], diagnostics=[{"severity": "error", "message": "error: no such thing"}])
    assert preview.comparison().report("lab").refusals == ["no such thing"]


def test_what_a_program_that_succeeds_writes_to_standard_error_is_a_warning(preview: Preview) -> None:
    preview.answers([], diagnostics=[{"severity": "info#err", "message": "this setting is ignored\n"}])
    assert preview.comparison().report("lab").warnings == ["this setting is ignored"]


@pytest.mark.parametrize("stream", ["digest", "stderr"])
def test_an_engine_that_loses_the_api_server_says_so_in_any_stream(preview: Preview, stream: str) -> None:
    preview.answers([])
    with (preview.lab.binaries / stream).open("a") as file:
        file.write("warning: Kubernetes cluster is unreachable")
    assert "did not respond" in preview.comparison().report("lab").failure


def test_a_changed_scale_in_the_stack_file_loses_the_data_of_a_base_that_does_not_record_its_scale(
    preview: Preview,
) -> None:
    file = preview.programs[1].stacks["lab"]
    file.write_text("config: {tiers:namespace: shop, tiers:database: {scale: 20}}\n")
    preview.answers(replacement(DATABASE, DATABASE))
    report = preview.comparison().report("lab")
    assert "at scale `20` instead of `default`" in str(consequences(report.changes[0], report.changes))
