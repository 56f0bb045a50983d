"""The policy pack in the real engine: every stack of the project passes, violations are refused."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from lab import environment
from lab.config import PROJECT, Lab

STACKS = sorted(path.name.split(".")[1] for path in (PROJECT / "stacks").glob("Pulumi.*.yaml"))
SECRET_IN_CONFIG_MAP = """
kubernetes.core.v1.ConfigMap(
    "leak",
    metadata={"name": "leak", "namespace": names.namespace, "labels": names.labels("leak")},
    data={"settings": pulumi.Output.secret("hunter2")},
)
"""
PASSWORD_IN_CONFIG_MAP = """
import pulumi_kubernetes as kubernetes
import pulumi_random as random

password = random.RandomPassword("password", length=32)
kubernetes.core.v1.ConfigMap("leak", metadata={"name": "leak"}, data={"settings": password.result})
"""


@dataclass(frozen=True)
class Result:
    """The exit code and the output of a command."""

    code: int
    output: str


@pytest.fixture(scope="module")
def pack() -> Path:
    """The pack with its virtual environment installed."""
    subprocess.run(["make", "policy"], cwd=PROJECT, check=True, timeout=300)
    return PROJECT / "policy"


@dataclass(frozen=True)
class Project:
    """A copy of the program and its stacks that a test may change."""

    lab: Lab
    pack: Path
    directory: Path

    def program(self, text: str) -> None:
        program = self.directory / "__main__.py"
        program.unlink()
        program.write_text(text)

    def preview(self, stack: str, *arguments: str, **config: object) -> Result:
        """Preview a stack with the policy pack and with some settings changed."""
        self._select(stack, config)
        return self._pulumi("preview", "--stack", stack, "--policy-pack", str(self.pack), *arguments)

    def up(self, stack: str) -> Result:
        self._select(stack, {})
        return self._pulumi("up", "--yes", "--skip-preview", "--stack", stack, "--policy-pack", str(self.pack))

    def _select(self, stack: str, config: Mapping[str, object]) -> None:
        document = yaml.safe_load((PROJECT / "stacks" / f"Pulumi.{stack}.yaml").read_text())
        # An unused namespace, so that the dry run doesn't meet existing objects of the same name.
        document["config"]["multi-tier:namespace"] = "policy"
        document["config"] |= {f"multi-tier:{key}": value for key, value in config.items()}
        (self.directory / "stacks" / f"Pulumi.{stack}.yaml").write_text(yaml.safe_dump(document))
        self._pulumi("stack", "select", "--create", stack)

    def _pulumi(self, *arguments: str) -> Result:
        done = subprocess.run(
            ["pulumi", "--non-interactive", "--color", "never", *arguments],
            cwd=self.directory,
            env=environment.process_environment(self.lab)
            | {"PULUMI_BACKEND_URL": f"file://{self.directory / 'state'}"},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        return Result(done.returncode, done.stdout + done.stderr)


@pytest.fixture
def project(control_plane: Lab, pack: Path, tmp_path: Path) -> Project:
    for name in ("state", "stacks"):
        (tmp_path / name).mkdir()
    for name in ("Pulumi.yaml", "__main__.py", "components", "cloudinit", "kube", ".venv"):
        (tmp_path / name).symlink_to(PROJECT / name)
    return Project(control_plane, pack, tmp_path)


@pytest.mark.parametrize("stack", STACKS)
def test_every_stack_of_the_project_passes(project: Project, stack: str) -> None:
    preview = project.preview(stack)
    assert preview.code == 0, preview.output
    assert "multi-tier@v1.0.0" in preview.output
    assert "[mandatory]" not in preview.output


def test_an_image_tagged_latest_is_refused_with_object_and_field(project: Project) -> None:
    web = {"memory": "384Mi", "image": {"containerDisk": "localhost/multi-tier-golden:latest"}}
    preview = project.preview("lab", web=web)
    assert preview.code != 0
    assert "no-latest-image" in preview.output
    assert "VirtualMachine multi-tier-web-0: spec.template.spec.volumes[0].containerDisk.image" in preview.output


def test_up_refuses_a_password_in_a_config_map_that_is_unknown_in_a_first_preview(project: Project) -> None:
    project.program(PASSWORD_IN_CONFIG_MAP)
    up = project.up("lab")
    assert up.code != 0
    assert "ConfigMap leak: data.settings is secret" in up.output
    assert "configmap/leak" not in up.output


def test_a_secret_in_a_config_map_is_refused_and_not_shown(project: Project) -> None:
    project.program((PROJECT / "__main__.py").read_text() + SECRET_IN_CONFIG_MAP)
    preview = project.preview("lab")
    assert preview.code != 0
    assert "hunter2" not in preview.output
    assert "no-secret-outside-secrets" in preview.output
    assert "ConfigMap leak: data.settings is secret" in preview.output


def test_a_rule_can_be_made_advisory(project: Project) -> None:
    levels = project.directory / "levels.json"
    levels.write_text(json.dumps({"all": "disabled", "no-latest-image": "advisory"}))
    web = {"memory": "384Mi", "image": {"containerDisk": "localhost/multi-tier-golden:latest"}}
    preview = project.preview("lab", "--policy-pack-config", str(levels), web=web)
    assert preview.code == 0, preview.output
    assert "[advisory]" in preview.output
    assert "no-latest-image" in preview.output
