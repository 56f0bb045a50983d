"""docs/measure.md and docs/startup.md match the program, and the pipeline examples are valid."""

from __future__ import annotations

import re
import shlex
from typing import Any

import pytest
import yaml
from typer.main import get_command

from cloudinit.sample_columns import HEADER
from lab.config import PROJECT
from measure.__main__ import app
from measure.analysis.gates import GATES
from measure.failures import ExitCode
from measure.run.plan import Overrides, run_plan
from measure.summary import Summary
from tests.unit.measure.synthetic import plan

PAGE = "".join((PROJECT / "docs" / name).read_text() for name in ("measure.md", "startup.md"))
EXAMPLES = ("github-actions.yaml", "gitlab-ci.yaml")


def options() -> dict[str, set[str]]:
    commands: dict[str, Any] = get_command(app).commands  # type: ignore[attr-defined]
    return {
        name: {option for one in command.params for option in one.opts if option.startswith("--")}
        for name, command in commands.items()
    }


def test_every_command_and_flag_is_documented() -> None:
    for command, flags in options().items():
        assert f"`measure {command}" in PAGE
        assert [flag for flag in flags if f"`{flag}`" not in PAGE] == []


def test_every_documented_flag_exists() -> None:
    assert set(re.findall(r"`(--[a-z]+)", PAGE)) <= set().union(*options().values())


def test_every_exit_code_gate_column_and_field_is_documented() -> None:
    assert [code for code in ExitCode if f"| {code.value} | " not in PAGE] == []
    assert [gate for gate in GATES if f"`{gate}`" not in PAGE] == []
    assert f"`{HEADER}`" in PAGE
    assert [field for field in Summary.model_fields if f"`{field}`" not in PAGE] == []


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_pipeline_uses_flags_that_exist(name: str) -> None:
    (command,) = re.findall(r"-m measure (run (?:--?\S+[ \n]+\S+\s+)+)", (PROJECT / "docs" / "ci" / name).read_text())
    words = shlex.split(command)
    given = dict(zip(words[1::2], words[2::2], strict=False))
    assert set(given) <= options()["run"]
    overrides = Overrides(profile=given["--profile"], peak=int(given["--peak"]), duration=given["--for"])
    assert run_plan(plan(), overrides).profile == "spike"


def test_the_stack_of_the_pipelines_has_gates() -> None:
    document = yaml.safe_load((PROJECT / "stacks" / "Pulumi.ci.yaml").read_text())
    assert document["config"]["multi-tier:gates"]


def test_the_github_pipeline_always_destroys_the_stack() -> None:
    document = yaml.safe_load((PROJECT / "docs" / "ci" / "github-actions.yaml").read_text())
    steps = document["jobs"]["gate"]["steps"]
    up, down = (next(one for one in steps if one.get("with", {}).get("command") == name) for name in ("up", "destroy"))
    assert down is steps[-1]
    assert down["if"] == "always()"
    assert up["with"]["stack-name"] == down["with"]["stack-name"]


def test_the_gitlab_pipeline_always_destroys_the_stack() -> None:
    job = yaml.safe_load((PROJECT / "docs" / "ci" / "gitlab-ci.yaml").read_text())["latency"]
    assert any("pulumi destroy --yes --stack ci" in line for line in job["after_script"])
    assert any("pulumi up --yes --stack ci" in line for line in job["script"])
    assert job["artifacts"]["when"] == "always"
